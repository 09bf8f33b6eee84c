using System.CommandLine;
using System.Text.Json;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl events ID</c>.</summary>
internal sealed class EventsCommand : CliCommand
{
    public EventsCommand(GlobalOptions global)
        : base("events", "Show the step log of a job.")
    {
        Argument<string> id = Required("ID", "Id of the job.");
        Add(id);
        Examples = [("snapshotctl events 0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e", "What a job did, and how long each step took:")];
        SetAction((parsed, token) => global.RunAsync(parsed, (s, t) => ListAsync(s, parsed.GetRequiredValue(id), t), token));
    }

    private static async Task<int> ListAsync(CliSession session, string id, CancellationToken cancellationToken)
    {
        IReadOnlyList<JsonElement> found = await Listing.ReadAsync(
            session.Client, $"jobs/{SnapshotClient.Segment(id)}/events", null, _ => true, cancellationToken).ConfigureAwait(false);
        return ListView.Answer(
            session,
            found,
            ["AT", "KIND", "STEP", new("TOOK", true), "MESSAGE"],
            element => RowOf(ServiceAnswer.Read(element, CliJson.Default.EventDocument)),
            "no events");
    }

    private static Cell[] RowOf(EventDocument line) =>
    [
        UnitText.Instant(line.At),
        line.Kind,
        line.Step ?? "-",
        line.DurationMs is { } took ? UnitText.Milliseconds(took) : "-",
        line.Message ?? "",
    ];
}
