using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Decides, once, what a snapshot will do. A pure function: the API calls it on the node's published inventory, so that
/// a refusal is an answer to the POST, and the node calls it again on the live XML.
/// </summary>
internal static class SnapshotPlanner
{
    /// <summary>Makes the plan.</summary>
    /// <param name="server">The server, described.</param>
    /// <param name="node">What its node can do.</param>
    /// <param name="request">What the user asks for.</param>
    /// <param name="defaultStore">Store of a request that names none.</param>
    /// <exception cref="SnapshotException">
    /// state_conflict, server_busy, unsupported_disk (the message names disk and reason), unsupported_request.
    /// </exception>
    public static SnapshotPlan Plan(
        ServerDescription server, NodeCapabilities node, SnapshotRequest request, string defaultStore)
    {
        if (server.DomainType == "lxc" && server.PowerState != ServerPowerState.ShutOff)
        {
            throw Unsupported(
                "containers (LXC) have neither managed save nor a live capture: "
                + "they can be captured only while they are shut off");
        }

        FoundServer.RequireAnswering(server);
        if (server.PowerState == ServerPowerState.Other)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"server {server.Name} is neither running, paused, saved nor shut off");
        }

        if (server.ActiveJob is { } job)
        {
            throw new SnapshotException(
                SnapshotErrorCode.ServerBusy, $"a {job} job is at work on server {server.Name}");
        }

        string store = request.Store ?? defaultStore;
        if (!StoreNames.All.Contains(store))
        {
            throw Unsupported($"there is no store '{store}'; known are: {string.Join(", ", StoreNames.All)}");
        }

        var notes = new List<string>();
        IReadOnlyList<DiskDescription> disks = DiskSelection.Select(server, request.Disks, notes);
        (CaptureKind capture, string reason) = Choose(server, disks, node, request);
        foreach (DiskDescription disk in disks)
        {
            DiskSelection.Check(server, disk, capture, request);
        }

        if (request.Reserved is not null && disks.Count != 1)
        {
            throw Unsupported("one record waits for the image, but there is more than one disk");
        }

        return new SnapshotPlan(capture, reason, store, [.. disks.Select(d => PlanDisk(d, node, request))], notes);
    }

    private static (CaptureKind Capture, string Reason) Choose(
        ServerDescription server, IReadOnlyList<DiskDescription> disks, NodeCapabilities node, SnapshotRequest request)
    {
        if (!server.IsActive)
        {
            string state = server.PowerState == ServerPowerState.Saved ? "saved" : "shut off";
            return (CaptureKind.Cold, $"the server is {state}: its disks have no writer");
        }

        return request.Mode switch
        {
            SnapshotMode.Cold => (RequireCold(server), "asked for"),
            SnapshotMode.Mirror => (RequireMirror(server, node, request), "asked for"),
            SnapshotMode.Backup => RequireBackup(server, disks, node, request),
            SnapshotMode.Live =>
                ChooseLive(server, disks, node, request) ?? throw Unsupported(NoLiveCapture(disks, node)),
            _ => ChooseLive(server, disks, node, request) ?? (RequireCold(server), NoLiveCapture(disks, node)),
        };
    }

    private static string NoLiveCapture(IReadOnlyList<DiskDescription> disks, NodeCapabilities node) =>
        ThreadObstacle(disks) is { } thread
        ? $"no live capture is possible: {thread}, and the mirror can't be had"
        : $"no live capture is possible: QEMU {node.HypervisorVersion} and libvirt {node.LibvirtVersion} have neither "
            + "backup nor block copy";

    private static (CaptureKind Capture, string Reason)? ChooseLive(
        ServerDescription server, IReadOnlyList<DiskDescription> disks, NodeCapabilities node, SnapshotRequest request)
    {
        RequireAgentForQuiesce(server, request);
        string? thread = ThreadObstacle(disks);
        if (node.CanBackup && !request.BlockRebase && thread is null)
        {
            return (
                CaptureKind.Backup,
                $"live, and QEMU {node.HypervisorVersion} and libvirt {node.LibvirtVersion} have the backup job");
        }

        if (!CanMirror(node) || (thread is not null && disks.Any(IsOnlyForBackup)))
        {
            return null;
        }

        return (CaptureKind.Mirror, request.BlockRebase
            ? "live, and blockRebase was asked for"
            : thread is not null && node.CanBackup
            ? $"live, but {thread}"
            : $"live, and QEMU {node.HypervisorVersion} or libvirt {node.LibvirtVersion} lacks the backup job");
    }

    // A cold capture begins only if the guest can start again.
    private static CaptureKind RequireCold(ServerDescription server)
    {
        if (!server.IsPersistent)
        {
            throw Unsupported(
                "a running transient server can't be saved by libvirt: only mirror and backup are possible");
        }

        return (server.SaveObstacle ?? server.PauseObstacle ?? server.StartObstacle) is { } obstacle
            ? throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"server {server.Name} can't be saved and started again: {obstacle}; mirror and backup may be possible")
            : CaptureKind.Cold;
    }

    private static CaptureKind RequireMirror(ServerDescription server, NodeCapabilities node, SnapshotRequest request)
    {
        RequireAgentForQuiesce(server, request);
        return CanMirror(node)
            ? CaptureKind.Mirror
            : throw Unsupported($"QEMU {node.HypervisorVersion} or libvirt {node.LibvirtVersion} has no block copy");
    }

    private static (CaptureKind Capture, string Reason) RequireBackup(
        ServerDescription server, IReadOnlyList<DiskDescription> disks, NodeCapabilities node, SnapshotRequest request)
    {
        RequireAgentForQuiesce(server, request);
        if (!node.CanBackup)
        {
            throw Unsupported(
                "the backup job needs QEMU 4.2 and libvirt 6.0; "
                + $"the node has {node.HypervisorVersion} and {node.LibvirtVersion}");
        }

        if (ThreadObstacle(disks) is not { } thread)
        {
            return (CaptureKind.Backup, "asked for");
        }

        return CanMirror(node) && !disks.Any(IsOnlyForBackup)
            ? (CaptureKind.Mirror, $"backup was asked for, but {thread}")
            : throw Unsupported($"{thread}, and the mirror can't be had");
    }

    // QEMU 7.2.22 of Debian 12 ends by an assertion when an NBD client leaves an export that an I/O thread serves; the
    // killed service leaves just like that. Which versions are good can't be told by their numbers: distributions
    // patch.
    private static string? ThreadObstacle(IReadOnlyList<DiskDescription> disks) =>
        disks.FirstOrDefault(d => d.HasIoThread) is { } disk
            ? $"disk {disk.Target} has an I/O thread, in which a QEMU that is not known to be good may crash when the "
                + "export of a backup is closed"
            : null;

    private static bool IsOnlyForBackup(DiskDescription disk) =>
        disk.Layers.Any(l => l.SourceType is not ("file" or "block"));

    // Without TRANSIENT_JOB a persistent server is undefined for the moment that starting the block job takes.
    private static bool CanMirror(NodeCapabilities node) =>
        node.CanBlockCopyTransient || node.CanBlockRebase;

    private static void RequireAgentForQuiesce(ServerDescription server, SnapshotRequest request)
    {
        if (request.Quiesce == QuiesceMode.Required && !server.HasAgentChannel)
        {
            throw Unsupported($"quiesce is required, but server {server.Name} has no guest-agent channel");
        }
    }

    private static PlannedDisk PlanDisk(DiskDescription disk, NodeCapabilities node, SnapshotRequest request)
    {
        ImageFormat format = ChooseFormat(disk, node, request);
        Compression compression = request.Compression;
        if (compression != Compression.None && format != ImageFormat.Qcow2)
        {
            throw Unsupported(
                $"compression {RequestName(compression)} needs format qcow2, not {ImageFormatNames.NameOf(format)}");
        }

        return new PlannedDisk(
            disk.Target, new ImageSpec(format, compression, request.CompressionLevel, request.Sparsify));
    }

    // The request's format; the one that has compression, if asked for; the node's default; what suits the disk.
    private static ImageFormat ChooseFormat(DiskDescription disk, NodeCapabilities node, SnapshotRequest request) =>
        request.Format
        ?? (request.Compression != Compression.None ? ImageFormat.Qcow2 : (ImageFormat?)null)
        ?? ImageFormatNames.Find(node.SnapshotImageFormat)
        ?? (disk.SourceType == "block" ? ImageFormat.Raw : ImageFormat.Qcow2);

    private static string RequestName(Compression compression) => compression == Compression.Zstd ? "zstd" : "zlib";

    private static SnapshotException Unsupported(string message) => new(SnapshotErrorCode.UnsupportedRequest, message);
}
