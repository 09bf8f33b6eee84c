using SnapshotApi.Api.Contracts;
using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Mapping;

/// <summary>Nodes as the API shows them.</summary>
internal static class NodeMapping
{
    /// <summary>A node row as the API shows it.</summary>
    public static Node ToContract(this NodeRecord node) => new(
        node.Name,
        node.HypervisorConnected,
        node.Capabilities is { } capabilities ? ToContract(capabilities) : null,
        node.ServiceVersion,
        node.WorkFreeBytes,
        node.StoreFreeBytes,
        node.MaxJobs,
        node.RunningJobs,
        node.Problems,
        node.SeenAt);

    private static NodeAbilities ToContract(NodeCapabilities node)
    {
        List<CaptureKind> captures = [CaptureKind.Cold];
        if (node.CanBlockRebase)
        {
            captures.Add(CaptureKind.Mirror);
        }

        if (node.CanBackup)
        {
            captures.Add(CaptureKind.Backup);
        }

        return new NodeAbilities(node.Driver, node.LibvirtVersion.ToString(), node.HypervisorVersion.ToString(), captures);
    }
}
