using System.CommandLine;
using System.Globalization;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl server REF</c>.</summary>
internal sealed class ServerCommand : CliCommand
{
    public ServerCommand(GlobalOptions global)
        : base("server", "Show a server and its disks.")
    {
        Argument<string> server = Required("SERVER", "UUID of the server, or its name if no other has it.");
        Add(server);
        Examples = [("snapshotctl server web-1", "What can be imaged of a server:")];
        SetAction((parsed, token) => global.RunAsync(parsed, (s, t) => ShowAsync(s, parsed.GetRequiredValue(server), t), token));
    }

    private static async Task<int> ShowAsync(CliSession session, string reference, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client
            .GetAsync($"servers/{SnapshotClient.Segment(reference)}", cancellationToken).ConfigureAwait(false);
        ServerDocument server = answer.Read(CliJson.Default.ServerDocument);
        return session.Answer(answer.Body, () => Write(server, session));
    }

    private static void Write(ServerDocument server, CliSession session)
    {
        session.Tables.WriteFacts(
            ("Server", server.Id),
            ("Name", server.Name),
            ("Node", server.Node),
            ("Power state", new Cell(server.PowerState, CliSession.StyleOf(server.PowerState))),
            ("Type", string.Join(", ", new[] { server.Type, server.Architecture }.Where(t => t is not null))),
            ("Definition", server.IsPersistent switch { true => "persistent", false => "transient", null => null }),
            ("Guest agent", server.Agent switch
            {
                { IsConnected: true } => "connected",
                { IsDefined: true } => "defined, not connected",
                _ => "none",
            }),
            ("Busy with", server.ActiveJob),
            ("Problem", server.Problem),
            ("Seen", UnitText.Instant(server.SeenAt)));
        if (server.Disks is { Count: > 0 } disks)
        {
            session.WriteLine("");
            session.Tables.WriteTable(
                ["DISK", "DEVICE", "SOURCE", "FORMAT", new("LAYERS", true), "REMARKS"],
                [.. disks.Select(d => new Cell[]
                {
                    d.Target, d.Device, d.SourceType, d.Format ?? "-", d.Layers?.ToString(CultureInfo.InvariantCulture), d.Remarks,
                })]);
        }
    }
}
