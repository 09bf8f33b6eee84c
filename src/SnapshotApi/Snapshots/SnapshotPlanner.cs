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
    /// <param name="check">What is known of the node's captures; null: nothing.</param>
    /// <param name="request">What the user asks for.</param>
    /// <param name="defaultStore">Store of a request that names none.</param>
    /// <exception cref="SnapshotException">
    /// state_conflict, server_busy, unsupported_disk (the message names disk and reason), unsupported_request.
    /// </exception>
    public static SnapshotPlan Plan(
        ServerDescription server, NodeCapabilities node, NodeCheck? check, SnapshotRequest request,
        string defaultStore)
    {
        if (request.FindUnknown() is { } unknown)
        {
            throw Unsupported($"the node's version of the service does not know {unknown}: upgrade it there");
        }

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
        (CaptureKind capture, string reason) = CaptureChoice.Choose(server, disks, node, check, request);
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
