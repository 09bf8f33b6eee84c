using System.Text.Json;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl nodes</c>.</summary>
internal sealed class NodesCommand : CliCommand
{
    public NodesCommand(GlobalOptions global)
        : base("nodes", "List the nodes: versions, what they can do, free space, jobs at work.")
    {
        Examples = [("snapshotctl nodes", "The hosts that take snapshots:")];
        SetAction((parsed, token) => global.RunAsync(parsed, ListAsync, token));
    }

    private static async Task<int> ListAsync(CliSession session, CancellationToken cancellationToken)
    {
        IReadOnlyList<JsonElement> found = await Listing.ReadAsync(
            session.Client, "nodes", null, _ => true, cancellationToken).ConfigureAwait(false);
        List<NodeDocument> nodes = [.. found.Select(e => ServiceAnswer.Read(e, CliJson.Default.NodeDocument))];
        int exitCode = ListView.Answer(
            session,
            found,
            ["NODE", "LIBVIRT", "QEMU", "CAPTURES", "JOBS", new("WORK FREE", true), new("STORE FREE", true), "VERSION", "SEEN"],
            element => RowOf(ServiceAnswer.Read(element, CliJson.Default.NodeDocument)),
            "no nodes");
        foreach (NodeDocument node in nodes)
        {
            foreach (string problem in node.Problems ?? [])
            {
                session.Note($"{TerminalText.Show(node.Name)}: {TerminalText.Show(problem)}");
            }
        }

        return exitCode;
    }

    private static Cell[] RowOf(NodeDocument node) =>
    [
        node.Name,
        node.IsConnected == false ? new Cell("away", CliSession.StyleOf("failed")) : node.Capabilities?.LibvirtVersion ?? "-",
        node.Capabilities?.HypervisorVersion ?? "-",
        string.Join(",", node.Capabilities?.Captures ?? []),
        $"{node.RunningJobs}/{node.MaxJobs}",
        UnitText.Size(node.WorkFreeBytes),
        UnitText.Size(node.StoreFreeBytes),
        node.ServiceVersion,
        UnitText.Instant(node.SeenAt),
    ];
}
