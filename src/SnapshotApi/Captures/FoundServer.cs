using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Captures;

/// <summary>
/// What touches a guest is decided from the guest as it is now, not as it was when the plan was made: that may be hours ago.
/// </summary>
internal static class FoundServer
{
    // QEMU_JOB_WAIT_TIME of libvirt, 30 s, and some: another tool's slow command is no reason to fail a job.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(35);
    private static readonly TimeSpan AskAgainInterval = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The request with its server described anew. To be called when the watch stands: from then on events tell of every change. What the plan
    /// does not depend on, such as a pause, is taken as it is now.
    /// </summary>
    /// <exception cref="SnapshotException">
    /// state_conflict: the server was started, stopped, made transient, or a disk is another file than planned; server_busy; server_not_found.
    /// </exception>
    public static async Task<CaptureRequest> AsItIsNowAsync(
        IHypervisor hypervisor, CaptureRequest request, TimeProvider time, CancellationToken cancellationToken)
    {
        ServerDescription planned = request.Server;
        ServerDescription now = await FindAnsweringAsync(hypervisor, request.ServerId, time, cancellationToken).ConfigureAwait(false)
            ?? throw new SnapshotException(SnapshotErrorCode.ServerNotFound, $"server {planned.Name} is gone since the snapshot was planned");
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
            throw new SnapshotException(SnapshotErrorCode.ServerBusy, $"a {job} job is at work on server {planned.Name}");
        }

        foreach (DiskDescription disk in request.Disks)
        {
            RequireSame(planned, disk, now.Disks.FirstOrDefault(d => d.Target == disk.Target));
        }

        return request with { Server = now };
    }

    /// <summary>The server with all that is known of it; a guest that is slow to answer is asked again for as long as libvirt itself lets a call wait.</summary>
    /// <returns>Null when there is none.</returns>
    /// <exception cref="SnapshotException">server_busy: it does not answer.</exception>
    public static async Task<ServerDescription?> FindAnsweringAsync(
        IHypervisor hypervisor, Guid serverId, TimeProvider time, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        while (true)
        {
            ServerDescription? server = await hypervisor.FindServerAsync(serverId, cancellationToken).ConfigureAwait(false);
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

    /// <summary>
    /// The server as an undo has to find it: all calls have had their effect. A QEMU that hangs may have our call still before it, sent by a
    /// process that is gone: what it is now is not what it will be.
    /// </summary>
    /// <exception cref="SnapshotException">hypervisor_error: it does not answer.</exception>
    public static async Task<ServerDescription?> FindSettledAsync(IHypervisor hypervisor, Guid serverId, CancellationToken cancellationToken)
    {
        ServerDescription? server = await hypervisor.FindServerAsync(serverId, cancellationToken).ConfigureAwait(false);
        return server is { IsActive: true, NotAnswering: { } why }
            ? throw new SnapshotException(SnapshotErrorCode.HypervisorError, $"server {server.Name} does not answer: {why}")
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

    /// <summary>
    /// Refuses a server whose disks another tool has given another layer, since they were looked at last: an external snapshot takes milliseconds.
    /// </summary>
    /// <param name="planned">The server as it was planned with.</param>
    /// <param name="disks">The disks that are captured.</param>
    /// <param name="now">The server as it is now, running or as its saved image has it; its mirrors are the caller's own.</param>
    /// <exception cref="SnapshotException">state_conflict.</exception>
    public static void RequireSameLayers(ServerDescription planned, IEnumerable<DiskDescription> disks, ServerDescription now)
    {
        foreach (DiskDescription disk in disks)
        {
            IReadOnlyList<DiskLayer> layers = now.Disks.FirstOrDefault(d => d.Target == disk.Target)?.Layers ?? [];

            // libvirt gives all layers of a guest that runs; a saved image may hold the first ones only.
            int count = now.IsActive ? disk.Layers.Count : Math.Max(1, layers.Count);
            if (layers.Count != count || !layers.Zip(disk.Layers, IsSame).All(same => same))
            {
                throw new SnapshotException(
                    SnapshotErrorCode.StateConflict,
                    $"disk {disk.Target} of server {planned.Name} got another layer from somebody else, right before its snapshot; try again");
            }
        }
    }

    // Of a volume a description that has not asked the pools does not know the path; a layer that somebody puts on it is a file.
    private static bool IsSame(DiskLayer now, DiskLayer planned) => now.Path == planned.Path || now is { Path: null, Volume: not null };

    // Of a server that is off the plan has completed the chain: what the definition gives is its beginning.
    private static void RequireSame(ServerDescription server, DiskDescription planned, DiskDescription? now)
    {
        if (now?.MirrorPath is not null)
        {
            throw new SnapshotException(SnapshotErrorCode.ServerBusy, $"a block job is at work on disk {planned.Target} of server {server.Name}");
        }

        // Device or file is what was found, not what the definition says.
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
