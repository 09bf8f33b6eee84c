using SnapshotApi.Hypervisor;

namespace SnapshotApi.Captures;

/// <summary>What touches a guest is decided from the guest as it is now: its plan may be hours old.</summary>
internal static class FoundServer
{
    // libvirt's QEMU_JOB_WAIT_TIME, 30 s, and some: another tool's slow command must not fail a job.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(35);
    private static readonly TimeSpan AskAgainInterval = TimeSpan.FromSeconds(1);

    /// <summary>The request with its server described anew; to be called when the watch has begun.</summary>
    /// <exception cref="SnapshotException">state_conflict, server_busy, server_not_found.</exception>
    public static async Task<CaptureRequest> AsItIsNowAsync(
        IHypervisor hypervisor, CaptureRequest request, TimeProvider time, CancellationToken cancellationToken)
    {
        ServerDescription planned = request.Server;
        ServerDescription now = await FindAnsweringAsync(hypervisor, request.ServerId, time, cancellationToken)
            .ConfigureAwait(false)
            ?? throw new SnapshotException(
                SnapshotErrorCode.ServerNotFound, $"server {planned.Name} is gone since the snapshot was planned");
        if (now.PowerState == ServerPowerState.Other || now.IsActive != planned.IsActive)
        {
            throw Changed(planned, now.IsActive ? "was started" : "was stopped");
        }

        if (now.IsPersistent != planned.IsPersistent)
        {
            throw Changed(planned, now.IsPersistent ? "was defined" : "was undefined");
        }

        if (now.ActiveJob is { } job)
        {
            throw new SnapshotException(
                SnapshotErrorCode.ServerBusy, $"a {job} job is at work on server {planned.Name}");
        }

        foreach (DiskDescription disk in request.Disks)
        {
            RequireSame(planned, disk, now.Disks.FirstOrDefault(d => d.Target == disk.Target));
        }

        return request with { Server = now };
    }

    /// <summary>Null without a server. A slow guest is asked again as long as libvirt lets a call wait.</summary>
    /// <exception cref="SnapshotException">server_busy: it does not answer.</exception>
    public static async Task<ServerDescription?> FindAnsweringAsync(
        IHypervisor hypervisor, Guid serverId, TimeProvider time, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        while (true)
        {
            ServerDescription? server = await hypervisor.FindServerAsync(serverId, cancellationToken)
                .ConfigureAwait(false);
            if (server?.NotAnswering is null)
            {
                return server;
            }

            if (time.GetElapsedTime(start) > Patience)
            {
                RequireAnswering(server);
            }

            await Task.Delay(AskAgainInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The server after all calls had their effect; a QEMU that hangs may still have one before it.</summary>
    /// <exception cref="SnapshotException">hypervisor_error: it does not answer.</exception>
    public static async Task<ServerDescription?> FindSettledAsync(
        IHypervisor hypervisor, Guid serverId, CancellationToken cancellationToken)
    {
        ServerDescription? server = await hypervisor.FindServerAsync(serverId, cancellationToken).ConfigureAwait(false);
        return server is { IsActive: true, NotAnswering: { } why }
            ? throw new SnapshotException(
                SnapshotErrorCode.HypervisorError, $"server {server.Name} does not answer: {why}")
            : server;
    }

    /// <summary>Refuses a guest of which only a part is known.</summary>
    /// <exception cref="SnapshotException">server_busy.</exception>
    public static void RequireAnswering(ServerDescription server)
    {
        if (server.NotAnswering is { } why)
        {
            throw new SnapshotException(SnapshotErrorCode.ServerBusy, $"server {server.Name} does not answer: {why}");
        }
    }

    /// <summary>Refuses a server with a disk to which another tool has added a layer meanwhile.</summary>
    /// <param name="now">The server now, or as its saved image has it; its mirrors are the caller's own.</param>
    /// <exception cref="SnapshotException">state_conflict.</exception>
    public static void RequireSameLayers(
        ServerDescription planned, IEnumerable<DiskDescription> disks, ServerDescription now)
    {
        foreach (DiskDescription disk in disks)
        {
            IReadOnlyList<DiskLayer> layers = now.Disks.FirstOrDefault(d => d.Target == disk.Target)?.Layers ?? [];

            // libvirt gives all layers of a running guest; a saved image may hold only the first.
            int count = now.IsActive ? disk.Layers.Count : Math.Max(1, layers.Count);
            if (layers.Count != count || !layers.Zip(disk.Layers, IsSame).All(same => same))
            {
                throw new SnapshotException(
                    SnapshotErrorCode.StateConflict,
                    $"disk {disk.Target} of server {planned.Name} got another layer from somebody else, "
                    + "right before its snapshot; try again");
            }
        }
    }

    // The path of a volume is unknown while the pools are not asked; a layer that somebody puts on it is a file.
    private static bool IsSame(DiskLayer now, DiskLayer planned) =>
        now.Path == planned.Path || now is { Path: null, Volume: not null };

    // The plan has completed the chain of a server that is off: the definition gives its beginning.
    private static void RequireSame(ServerDescription server, DiskDescription planned, DiskDescription? now)
    {
        if (now?.MirrorPath is not null)
        {
            throw new SnapshotException(
                SnapshotErrorCode.ServerBusy,
                $"a block job is at work on disk {planned.Target} of server {server.Name}");
        }

        // Whether it is a device or a file was found out, not read in the definition.
        IEnumerable<(string?, string?)>? layers = now?.Layers.Select(l => (l.Path, l.Format));
        if (layers?.SequenceEqual(planned.Layers.Take(now!.Layers.Count).Select(l => (l.Path, l.Format))) != true
            || (server.IsActive && now!.Layers.Count != planned.Layers.Count))
        {
            throw Changed(server, $"has another disk {planned.Target}");
        }
    }

    private static SnapshotException Changed(ServerDescription server, string what) =>
        new(SnapshotErrorCode.StateConflict, $"server {server.Name} {what} since the snapshot was planned");
}
