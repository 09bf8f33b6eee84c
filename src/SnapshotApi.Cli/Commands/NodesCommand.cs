using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl nodes</c>.</summary>
internal sealed class NodesCommand : CliCommand
{
    public NodesCommand(GlobalOptions global)
        : base("nodes", "List the nodes: versions, what they can do, free space, running jobs.")
    {
        Examples = [("snapshotctl nodes", "The hosts that take snapshots:")];
        SetAction((parsed, token) => global.RunAsync(parsed, ListAsync, token));
    }

    private static async Task<int> ListAsync(CliSession session, CancellationToken cancellationToken)
    {
        IReadOnlyList<JsonElement> found =
            await Listing.ReadAsync(session.Client, "nodes", cancellationToken).ConfigureAwait(false);
        int exitCode = ListView.Answer(
            session,
            found,
            [
                "NODE", "LIBVIRT", "QEMU", "CAPTURES", "JOBS", new("WORK FREE", true), new("STORE FREE", true),
                "VERSION", "SEEN",
            ],
            element => RowOf(ServiceAnswer.Read(element, CliJson.Default.Node)),
            "no nodes");
        foreach (Node node in found.Select(e => ServiceAnswer.Read(e, CliJson.Default.Node)))
        {
            foreach (string problem in (node.Problems ?? []).Concat(node.Check?.Problems ?? []))
            {
                session.Note($"{TerminalText.Show(node.Name)}: {TerminalText.Show(problem)}");
            }
        }

        return exitCode;
    }

    private static Cell[] RowOf(Node node) =>
    [
        node.Name,
        !node.IsConnected ? new Cell("away", CliSession.StyleOf("failed")) : node.Capabilities?.LibvirtVersion ?? "-",
        node.Capabilities?.HypervisorVersion ?? "-",
        string.Join(",", node.Capabilities?.Captures ?? []),
        node.IsDrained ? $"{node.RunningJobs}/drained" : $"{node.RunningJobs}/{node.MaxJobs}",
        UnitText.Size(node.WorkFreeBytes),
        UnitText.Size(node.StoreFreeBytes),
        node.ServiceVersion,
        UnitText.Instant(node.SeenAt),
    ];
}

/// <summary><c>snapshotctl node</c>: its verbs.</summary>
internal sealed class NodeCommand : CliCommand
{
    public NodeCommand(GlobalOptions global)
        : base("node", "Check, drain or forget a node.")
    {
        Add(new NodeCheckCommand(global));
        Add(new NodeChangeCommand(
            global, "drain", "Accept no new jobs for the servers of a node.",
            "What it has runs to its end. Its host can be stopped when 'snapshotctl jobs --node NODE' shows no job "
            + "that is queued or running.",
            (client, path, token) => client.PostAsync($"{path}/drain", token), "is drained"));
        Add(new NodeChangeCommand(
            global, "undrain", "Accept jobs for a drained node again.",
            "The opposite of drain.",
            (client, path, token) => client.DeleteAsync($"{path}/drain", token), "takes jobs"));
        Add(new NodeChangeCommand(
            global, "forget", "Forget a node that will not come back.",
            "Its servers leave the inventory and its jobs end as node_lost. Its images stay listed. The service there "
            + "must not run.",
            (client, path, token) => client.DeleteAsync(path, token), "is forgotten"));
    }
}

/// <summary><c>snapshotctl node drain|undrain|forget NAME</c>.</summary>
internal sealed class NodeChangeCommand : CliCommand
{
    public NodeChangeCommand(
        GlobalOptions global, string verb, string summary, string details,
        Func<SnapshotClient, string, CancellationToken, Task<ServiceAnswer>> call, string outcome)
        : base(verb, summary)
    {
        Argument<string> name = Required("NAME", "Name of the node.");
        Add(name);
        Details = [details];
        Examples = [($"snapshotctl node {verb} kvm1", "By its name:")];
        Run(global, async (parsed, session, token) =>
        {
            string node = parsed.GetRequiredValue(name);
            ServiceAnswer answer = await call(session.Client, $"nodes/{SnapshotClient.Segment(node)}", token)
                .ConfigureAwait(false);
            JsonElement document = answer.Body.ValueKind == JsonValueKind.Undefined
                ? JsonSerializer.SerializeToElement(new IdDocument(node), CliJson.Default.IdDocument)
                : answer.Body;
            return session.Answer(document, () => session.WriteLine($"node {TerminalText.Show(node)} {outcome}"));
        });
    }
}

/// <summary><c>snapshotctl node check [NAME]</c>.</summary>
internal sealed class NodeCheckCommand : CliCommand
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    // A check takes some 20 s, several times that on a busy host without KVM.
    private static readonly TimeSpan LongestCheck = TimeSpan.FromMinutes(10);

    public NodeCheckCommand(GlobalOptions global)
        : base("check", "Let a node prove its captures on throw-away guests.")
    {
        var name = new Argument<string?>("NAME")
        {
            Description = "Name of the node; may be left out where there is only one.",
            HelpName = "NAME",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var poll = Flag("--poll", "Wait for the end of the check, and show what it found.");
        Add(name);
        Add(poll);
        Details =
        [
            "The node takes each capture of guests of its own, of a few MiB and without an operating system, and "
            + "compares what it reads. It does so by itself when QEMU, libvirt or the kernel has changed. A capture "
            + "that fails is disabled for guests like the one that it failed on.",
            "With --poll the exit status is 1 when a capture is disabled or could not be checked.",
        ];
        Examples = [("snapshotctl node check kvm1 --poll", "After an upgrade of QEMU:")];
        Run(global, (parsed, s, t) => CheckAsync(s, parsed.GetValue(name), parsed.GetValue(poll), t));
    }

    private static async Task<int> CheckAsync(
        CliSession session, string? name, bool poll, CancellationToken cancellationToken)
    {
        string node = name ?? await FindOnlyAsync(session, cancellationToken).ConfigureAwait(false);
        string path = $"nodes/{SnapshotClient.Segment(node)}";
        ServiceAnswer answer = await session.Client.PostAsync($"{path}/check", cancellationToken).ConfigureAwait(false);
        if (!poll)
        {
            return session.Answer(
                answer.Body, () => session.WriteLine($"check of node {TerminalText.Show(node)} requested"));
        }

        DateTimeOffset? before = answer.Read(CliJson.Default.Node).Check?.StartedAt;
        long start = session.Time.GetTimestamp();
        NodeCheck? check;
        do
        {
            if (session.Time.GetElapsedTime(start) > LongestCheck)
            {
                throw new CommandFailedException(
                    ExitCode.Unavailable, "check_unanswered",
                    $"node {node} has not ended its check within {LongestCheck.TotalMinutes:0} minutes: see its log");
            }

            await Task.Delay(PollInterval, session.Time, cancellationToken).ConfigureAwait(false);
            answer = await session.Client.GetAsync(path, cancellationToken).ConfigureAwait(false);
            check = answer.Read(CliJson.Default.Node).Check;
        }
        while (check is not { Status: "checked" } || check.StartedAt <= (before ?? DateTimeOffset.MinValue));

        session.Answer(answer.Body, () => Write(check, session));
        return check.Problems is { Count: > 0 } ? ExitCode.Failed : ExitCode.Ok;
    }

    private static async Task<string> FindOnlyAsync(CliSession session, CancellationToken cancellationToken)
    {
        IReadOnlyList<JsonElement> found =
            await Listing.ReadAsync(session.Client, "nodes", cancellationToken).ConfigureAwait(false);
        string[] names = [.. found.Select(e => ServiceAnswer.Read(e, CliJson.Default.Node).Name)];
        return names is [var only]
            ? only
            : throw new CommandFailedException(
                ExitCode.Usage, "invalid_usage",
                names.Length == 0 ? "there is no node yet" : $"name one of the nodes: {string.Join(", ", names)}");
    }

    private static void Write(NodeCheck check, CliSession session)
    {
        string[] captures = [.. (check.Results ?? []).Select(r => r.Capture).Distinct()];
        session.Tables.WriteTable(
            ["GUEST", .. captures.Select(c => (Column)c.ToUpper(CultureInfo.InvariantCulture))],
            [.. (check.Results ?? []).GroupBy(r => r.Shape).Select(shape => (Cell[])
            [
                shape.Key.Replace('_', ' '),
                .. captures.Select(c => CellOf(shape.FirstOrDefault(r => r.Capture == c))),
            ])]);
        foreach (string problem in check.Problems ?? [])
        {
            session.Note(TerminalText.Show(problem));
        }
    }

    private static Cell CellOf(CaptureResult? result) => result?.Outcome switch
    {
        null => "-",
        "proved" => new Cell("proved", CliSession.StyleOf("succeeded")),
        "failed" => new Cell("disabled", CliSession.StyleOf("failed")),
        var other => new Cell(other, CliSession.StyleOf("cancelled")),
    };
}
