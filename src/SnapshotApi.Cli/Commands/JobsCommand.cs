using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl jobs</c>.</summary>
internal sealed class JobsCommand : CliCommand
{
    public JobsCommand(GlobalOptions global)
        : base("jobs", "List jobs, newest first.")
    {
        var server = new Option<string?>("--server") { Description = "Only jobs of this server (UUID or name).", HelpName = "SERVER" };
        var node = new Option<string?>("--node") { Description = "Only jobs of this node.", HelpName = "NODE" };
        var status = new Option<string[]>("--status")
        {
            Description = "Only jobs of this status. May be given several times.",
            HelpName = "queued|running|succeeded|failed|cancelled",
            Arity = ArgumentArity.OneOrMore,
        };
        status.AcceptOnlyFromAmong("queued", "running", "succeeded", "failed", "cancelled");
        var limit = new Option<int>("--limit") { Description = "At most this many. Default: 20.", HelpName = "N", DefaultValueFactory = _ => 20 };
        limit.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 100_000)
            {
                result.AddError("--limit takes 1 to 100000");
            }
        });
        Add(server);
        Add(node);
        Add(status);
        Add(limit);
        Examples =
        [
            ("snapshotctl jobs --status running", "What is at work:"),
            ("snapshotctl jobs --server web-1 --limit 5", "The last five jobs of a server:"),
        ];
        SetAction((parsed, token) => global.RunAsync(
            parsed,
            (s, t) => ListAsync(s, parsed.GetValue(server), parsed.GetValue(node), parsed.GetValue(status) ?? [], parsed.GetValue(limit), t),
            token));
    }

    private static async Task<int> ListAsync(
        CliSession session, string? server, string? node, string[] statuses, int limit, CancellationToken cancellationToken)
    {
        string query = QueryText.Of(
        [
            ("server", server),
            ("node", node),
            .. statuses.Select(s => ("status", (string?)s)),
            ("limit", Math.Min(limit, Listing.PageSize).ToString(CultureInfo.InvariantCulture)),
        ]);
        IReadOnlyList<JsonElement> found = await Listing.ReadAsync(
            session.Client, "jobs" + query, limit, _ => true, cancellationToken).ConfigureAwait(false);
        return ListView.Answer(
            session,
            found,
            [new("ID", IsWhole: true), "SERVER", "NAME", "STATUS", "STEP", new("DONE", true), "CAPTURE", "CREATED"],
            element => RowOf(ServiceAnswer.Read(element, CliJson.Default.JobDocument)),
            "no jobs");
    }

    private static Cell[] RowOf(JobDocument job) =>
    [
        job.Id,
        job.Server?.Name,
        job.Name,
        new Cell(job.Status, CliSession.StyleOf(job.Status)),
        job.Step ?? "-",
        job.Progress?.Percent is { } percent ? UnitText.Percent(percent) : "-",
        job.Capture?.Kind ?? "-",
        UnitText.Instant(job.CreatedAt),
    ];
}
