using SnapshotApi.Captures;
using SnapshotApi.Contracts;
using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Mapping;

/// <summary>Servers as the API shows them: no host path leaves the service.</summary>
internal static class ServerMapping
{
    /// <summary>A server row as the API shows it.</summary>
    public static Server ToContract(this ServerRecord record, Links links)
    {
        ServerDescription server = record.Description;
        return new Server(
            server.Id,
            server.Name,
            record.Node,
            server.PowerState.ToSnakeCase(),
            server.IsPersistent,
            server.DomainType,
            server.Architecture,
            server.OsType,
            new ServerAgent(server.HasAgentChannel, server.AgentConnected),
            server.ActiveJob,
            [.. server.Disks.Select(ToContract)],
            server.NotAnswering ?? server.StartObstacle,
            record.SeenAt,
            new ServerLinks(links.Server(server.Id), links.ServerSnapshots(server.Id)));
    }

    private static ServerDisk ToContract(DiskDescription disk) => new(
        disk.Target,
        disk.Device,
        disk.SourceType,
        disk.Format,
        disk.Layers.Count,
        disk.IsReadOnly,
        disk.IsShareable,
        disk.IsTransient,
        disk.IsEncrypted,
        disk.BootOrder);
}

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
        node.SeenAt,
        node.Check is { } check ? ToContract(check) : null,
        node.IsDrained);

    private static Contracts.NodeCheck ToContract(Captures.NodeCheck check) => new(
        check.EndedAt is null ? "checking" : "checked",
        check.StartedAt,
        check.EndedAt,
        [.. check.Describe(ProofOutcome.Failed), .. check.Describe(ProofOutcome.Unknown)],
        [.. check.Proofs.Select(p => new CaptureResult(
            p.Capture.ToSnakeCase(), p.Shape.ToSnakeCase(), p.Outcome.ToSnakeCase(), p.Reason, p.Cure))]);

    private static NodeAbilities ToContract(NodeCapabilities node)
    {
        (CaptureKind Kind, bool IsOffered)[] captures =
        [
            (CaptureKind.Cold, true), (CaptureKind.Mirror, node.CanBlockRebase), (CaptureKind.Backup, node.CanBackup),
        ];
        return new NodeAbilities(
            node.Driver,
            node.LibvirtVersion.ToString(),
            node.HypervisorVersion.ToString(),
            [.. captures.Where(c => c.IsOffered).Select(c => c.Kind.ToSnakeCase())]);
    }
}

/// <summary>Images as the API shows them.</summary>
internal static class ImageMapping
{
    /// <summary>An image row as the API shows it.</summary>
    public static Image ToContract(this ImageRecord record, Links links) => new(
        record.Image.Id,
        record.Name,
        record.Image.Store,
        record.Image.Location,
        record.Image.Format.ToSnakeCase(),
        record.Image.SizeBytes,
        record.VirtualSizeBytes,
        record.Image.Digest.ToContract(),
        new ServerReference(record.ServerId, record.ServerName),
        record.Node,
        record.Target,
        record.JobId,
        record.Properties,
        record.CreatedAt,
        new ImageLinks(links.Image(record.Image.Id), links.ImageFile(record.Image.Id), links.Job(record.JobId)));
}
