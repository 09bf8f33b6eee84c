using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Parsing;
using SnapshotApi.Cli.Rendering;
using SnapshotApi.Cli.Watching;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl jobs</c>.</summary>
internal sealed class JobsCommand : CliCommand
{
    public JobsCommand(GlobalOptions global)
        : base("jobs", "List jobs, newest first.")
    {
        var server = Text("--server", "SERVER", "Only jobs of this server (UUID or name).");
        var node = Text("--node", "NODE", "Only jobs of this node.");
        var status = new Option<string[]>("--status")
        {
            Description = "Only jobs of this status. May be given several times.",
            HelpName = "queued|running|succeeded|failed|cancelled",
            Arity = ArgumentArity.OneOrMore,
        };
        status.AcceptOnlyFromAmong("queued", "running", "succeeded", "failed", "cancelled");
        var limit = new Option<int>("--limit")
        {
            Description = "At most this many. Default: 20.",
            HelpName = "N",
            DefaultValueFactory = _ => 20,
        };
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
            ("snapshotctl jobs --status running", "The jobs that run:"),
            ("snapshotctl jobs --server web-1 --limit 5", "The last five jobs of a server:"),
        ];
        Run(global, (parsed, s, t) =>
        {
            string[] statuses = parsed.GetValue(status) ?? [];
            return ListAsync(s, parsed.GetValue(server), parsed.GetValue(node), statuses, parsed.GetValue(limit), t);
        });
    }

    private static async Task<int> ListAsync(
        CliSession session,
        string? server,
        string? node,
        string[] statuses,
        int limit,
        CancellationToken cancellationToken)
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
            element => RowOf(ServiceAnswer.Read(element, CliJson.Default.Job)),
            "no jobs");
    }

    private static Cell[] RowOf(Job job) =>
    [
        job.Id.ToString(),
        job.Server?.Name,
        job.Name,
        new Cell(job.Status, CliSession.StyleOf(job.Status)),
        job.Step,
        UnitText.Percent(job.Progress?.Percent ?? 0),
        job.Capture?.Kind ?? "-",
        UnitText.Instant(job.CreatedAt),
    ];
}

/// <summary><c>snapshotctl job ID</c>.</summary>
internal sealed class JobCommand : CliCommand
{
    public JobCommand(GlobalOptions global)
        : base("job", "Show a job, or wait for it.")
    {
        Argument<string> id = Required("ID", "Id of the job.");
        var wait = new Option<bool>("--wait")
        {
            Description = "Wait until the job is final, with a progress bar; the exit status is then its outcome. "
                + "Ctrl-C stops the watching, not the job.",
        };
        Add(id);
        Add(wait);
        Details = ["Without --wait the exit status says only whether the job could be shown, not how it ended."];
        Examples = [("snapshotctl job 0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e --wait", "Watch a job that runs:")];
        Run(global, (parsed, s, t) => parsed.GetValue(wait)
            ? WatchedJob.RunAsync(s, parsed.GetRequiredValue(id), t)
            : ShowAsync(s, parsed.GetRequiredValue(id), t));
    }

    private static async Task<int> ShowAsync(CliSession session, string id, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client.GetJobAsync(id, null, cancellationToken).ConfigureAwait(false);
        Job job = answer.Read(CliJson.Default.Job);
        return session.Answer(answer.Body, () => JobView.Write(job, session));
    }
}

/// <summary><c>snapshotctl cancel ID</c>.</summary>
internal sealed class CancelCommand : CliCommand
{
    public CancelCommand(GlobalOptions global)
        : base("cancel", "Cancel a job.")
    {
        Argument<string> id = Required("ID", "Id of the job.");
        Add(id);
        Details =
        [
            "Cancels the job, which is possible in every step; the guest is left as it was found and no image "
            + "stays. Asking twice does no harm. A job that has succeeded or failed can't be cancelled "
            + "(exit status 4).",
        ];
        Examples = [("snapshotctl cancel 0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e", "Cancel a job that runs or waits:")];
        Run(global, (parsed, s, t) => CancelAsync(s, parsed.GetRequiredValue(id), t));
    }

    private static async Task<int> CancelAsync(CliSession session, string id, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client
            .DeleteAsync($"jobs/{SnapshotClient.Segment(id)}", cancellationToken).ConfigureAwait(false);
        JsonElement document = answer.Body.ValueKind == JsonValueKind.Undefined
            ? JsonSerializer.SerializeToElement(new IdDocument(id), CliJson.Default.IdDocument)
            : answer.Body;
        return session.Answer(document, () => session.WriteLine($"cancel of job {TerminalText.Show(id)} requested"));
    }
}

/// <summary><c>snapshotctl limit ID RATE</c>.</summary>
internal sealed class LimitCommand : CliCommand
{
    private const string None = "none";

    public LimitCommand(GlobalOptions global)
        : base("limit", "Change how fast a job may read.")
    {
        Argument<string> id = Required("ID", "Id of the job.");
        Argument<string> rate = Required(
            "RATE", "Bytes a second: 50M is 50 MiB/s, the least is 64K. none lifts the limit.");
        rate.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && token.Value != None && !SizeArgument.TryParse(token.Value, out _))
            {
                result.AddError($"'{token.Value}' is not a rate: give bytes a second such as 50M, or none");
            }
        });
        Add(id);
        Add(rate);
        Details =
        [
            "Changes the bandwidth limit of a job that waits or runs; one that runs follows within a second. What the "
            + "guest waits for, the copy of a top layer in a cold capture, is never limited. A job that is already "
            + "final can't be changed (exit status 4).",
        ];
        Examples =
        [
            ("snapshotctl limit 0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e 20M", "Slow a job down while the store is busy:"),
            ("snapshotctl limit 0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e none", "Let it go on at full speed:"),
        ];
        Run(global, (parsed, s, t) => LimitAsync(s, parsed.GetRequiredValue(id), parsed.GetRequiredValue(rate), t));
    }

    private static async Task<int> LimitAsync(
        CliSession session, string id, string rate, CancellationToken cancellationToken)
    {
        long? limit = rate != None && SizeArgument.TryParse(rate, out long bytes) ? bytes : null;
        ServiceAnswer answer = await session.Client.LimitJobAsync(id, limit, cancellationToken).ConfigureAwait(false);
        return session.Answer(answer.Body, () => JobView.Write(answer.Read(CliJson.Default.Job), session));
    }
}

/// <summary><c>snapshotctl events ID</c>.</summary>
internal sealed class EventsCommand : CliCommand
{
    public EventsCommand(GlobalOptions global)
        : base("events", "Show the step log of a job.")
    {
        Argument<string> id = Required("ID", "Id of the job.");
        Add(id);
        Examples =
        [
            ("snapshotctl events 0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e", "What a job did, and how long each step took:"),
        ];
        Run(global, (parsed, s, t) => ListAsync(s, parsed.GetRequiredValue(id), t));
    }

    private static async Task<int> ListAsync(CliSession session, string id, CancellationToken cancellationToken)
    {
        string path = $"jobs/{SnapshotClient.Segment(id)}/events";
        IReadOnlyList<JsonElement> found =
            await Listing.ReadAsync(session.Client, path, cancellationToken).ConfigureAwait(false);
        return ListView.Answer(
            session,
            found,
            ["AT", "KIND", "STEP", new("TOOK", true), "MESSAGE"],
            element => RowOf(ServiceAnswer.Read(element, CliJson.Default.JobEventEntry)),
            "no events");
    }

    private static Cell[] RowOf(JobEventEntry line) =>
    [
        UnitText.Instant(line.At),
        line.Kind,
        line.Step,
        line.DurationMs is { } took ? UnitText.Milliseconds(took) : "-",
        line.Message ?? "",
    ];
}
