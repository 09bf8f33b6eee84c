using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Captures;

/// <summary>Follows block jobs until each mirror is ready: by events, and by polling as a watchdog.</summary>
internal sealed class MirrorWait(IHypervisor hypervisor, IOptions<NodeOptions> options, TimeProvider time)
{
    // In sizes of the disk: until so much is copied, QEMU is still finding out what is left.
    private const int HopelessRounds = 2;

    // QEMU's mirror copies as much at once, and then rests for as long as that takes by its limit.
    private const long LargestStepBytes = 16L << 20;

    // A guest may write fast for a while; after so many stall limits without coming nearer, the end is out of reach.
    private const int HopelessStalls = 5;

    // How often the position is read; the READY event ends the wait at once.
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(300);

    // Any disk copies it within a second.
    private const long MostLeftBytes = 64L << 20;

    // With the CPUs stopped what is left is copied in milliseconds.
    private static readonly TimeSpan DrainPollInterval = TimeSpan.FromMilliseconds(10);

    // The longest pause that an image is worth; as long as a freeze may last.
    private static readonly TimeSpan LongestDrain = TimeSpan.FromSeconds(20);

    /// <summary>Returns when the mirror of a disk, whose server stands still, has nothing left to copy.</summary>
    /// <exception cref="SnapshotException">copy_source_failed: the job ended; timed_out: it does not move.</exception>
    public async Task UntilDrainedAsync(
        CaptureRequest request, string target, IBlockJobWatch jobs, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        long movedAt = start;
        BlockJobPosition last = default;
        while (true)
        {
            ThrowIfEnded(target, jobs);
            BlockJobPosition now = await TryGetAsync(request, target, last, cancellationToken).ConfigureAwait(false)
                ?? throw Ended(target);
            if (time.GetElapsedTime(start) > LongestDrain)
            {
                throw new SnapshotException(
                    SnapshotErrorCode.TimedOut,
                    $"the mirror of disk {target} was not in step after its guest had stood still "
                    + $"for {LongestDrain.TotalSeconds:0} s");
            }

            if (now.EndBytes > 0 && now.CurrentBytes == now.EndBytes)
            {
                return;
            }

            if (now != last)
            {
                last = now;
                movedAt = time.GetTimestamp();
            }

            ThrowIfStalled(target, movedAt, options.Value.StallTimeout);
            await Task.Delay(DrainPollInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    // One late answer must not end hours of copying.
    private async Task<BlockJobPosition?> TryGetAsync(
        CaptureRequest request, string target, BlockJobPosition last, CancellationToken cancellationToken)
    {
        try
        {
            return await hypervisor.GetBlockJobAsync(request.ServerId, target, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.TimedOut)
        {
            return last;
        }
    }

    /// <summary>Returns when every mirror is ready.</summary>
    /// <exception cref="SnapshotException">copy_source_failed, no_space, server_stopped, timed_out.</exception>
    public async Task UntilReadyAsync(
        CaptureRequest request, IReadOnlyList<MirroredDisk> mirrors, IServerWatch server, IBlockJobWatch jobs,
        ICaptureObserver observer, CancellationToken cancellationToken)
    {
        var waiting = mirrors.ToList();
        var lastPosition = new Dictionary<string, BlockJobPosition>();
        var lows = new Dictionary<string, (long LeftBytes, long At)>();
        long movedAt = time.GetTimestamp();
        long? readyAt = null;
        while (true)
        {
            RequireSpace(mirrors);

            // An event can be lost with the connection; the live XML can't.
            ServerDescription? now = await hypervisor.PeekAsync(request.ServerId, cancellationToken)
                .ConfigureAwait(false);
            for (int i = waiting.Count - 1; i >= 0; i--)
            {
                ThrowIfStopped(request, server);
                MirroredDisk mirror = waiting[i];
                string target = mirror.Disk.Target;
                ThrowIfEnded(target, jobs);
                if (IsReady(now, mirror, jobs))
                {
                    observer.CopyAdvanced(target, mirror.SizeBytes, 1, 1);
                    waiting.RemoveAt(i);
                    movedAt = time.GetTimestamp();
                    continue;
                }

                BlockJobPosition? read = await ReadPositionAsync(request, server, target, cancellationToken)
                    .ConfigureAwait(false);
                if (read is not { } position)
                {
                    // QEMU does not answer now, for no longer than the stall limit.
                    continue;
                }

                ThrowIfHopeless(mirror, position, lows);
                observer.CopyAdvanced(target, mirror.SizeBytes, position.CurrentBytes, position.EndBytes);
                if (!lastPosition.TryGetValue(target, out BlockJobPosition before) || before != position)
                {
                    lastPosition[target] = position;
                    movedAt = time.GetTimestamp();
                }
            }

            if (waiting.Count == 0)
            {
                readyAt ??= time.GetTimestamp();
                if (await AreInStepAsync(request, mirrors, readyAt.Value, cancellationToken).ConfigureAwait(false))
                {
                    return;
                }

                ThrowIfStopped(request, server);
            }
            else
            {
                await ApplyAsync(request, waiting, jobs, cancellationToken).ConfigureAwait(false);
                ThrowIfStalled(waiting[0].Disk.Target, movedAt, PatienceFor(waiting[0]));
            }

            await jobs.WaitAsync(PollInterval, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Throws when the last event of a disk says that its job is over.</summary>
    public static void ThrowIfEnded(string target, IBlockJobWatch jobs)
    {
        if (jobs.LastEvent(target) is BlockJobStatus.Failed or BlockJobStatus.Canceled or BlockJobStatus.Completed)
        {
            throw Ended(target);
        }
    }

    /// <summary>Throws when the server stopped, or its disk has no mirror of ours any more.</summary>
    public static void ThrowIfGone(CaptureRequest request, ServerDescription? now, AbortBlockJob mirror)
    {
        if (now is not { IsActive: true })
        {
            throw Stopped(request, "it is not running any more");
        }

        if (now.Disks.FirstOrDefault(d => d.Target == mirror.Target)?.MirrorPath != mirror.DestinationPath)
        {
            throw Ended(mirror.Target);
        }
    }

    // Scratch files of running backups lie on the same file system: a mirror that took their reserve would pause their
    // guests. Seen here, the cause of a mirror that fails for want of space is known, too.
    private void RequireSpace(IReadOnlyList<MirroredDisk> mirrors)
    {
        if (SpaceWatch.OfWork(Path.GetDirectoryName(mirrors[0].Path)!, options.Value).IsLow)
        {
            throw new SnapshotException(
                SnapshotErrorCode.NoSpace, "the node's work directory has no space left for the mirror");
        }
    }

    private async Task ApplyAsync(
        CaptureRequest request, List<MirroredDisk> waiting, IBlockJobWatch jobs, CancellationToken cancellationToken)
    {
        try
        {
            await MirrorBandwidth.ApplyAsync(hypervisor, request, waiting, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.HypervisorError
            && waiting.Exists(m => jobs.LastEvent(m.Disk.Target) is not null))
        {
            // A job ended meanwhile; the next round tells how.
        }
    }

    // A mirror that was ready hours ago may have fallen behind while another disk was copied. What is left is copied
    // with the CPUs stopped, so it should be little; after the stall limit it goes on all the same.
    private async Task<bool> AreInStepAsync(
        CaptureRequest request, IReadOnlyList<MirroredDisk> mirrors, long readyAt, CancellationToken cancellationToken)
    {
        if (time.GetElapsedTime(readyAt) > options.Value.StallTimeout)
        {
            return true;
        }

        foreach (MirroredDisk mirror in mirrors)
        {
            BlockJobPosition? now = await TryGetAsync(request, mirror.Disk.Target, default, cancellationToken)
                .ConfigureAwait(false);
            if (now?.EndBytes - now?.CurrentBytes > MostLeftBytes)
            {
                return false;
            }
        }

        return true;
    }

    private void ThrowIfStalled(string target, long movedAt, TimeSpan patience)
    {
        if (time.GetElapsedTime(movedAt) > patience)
        {
            throw new SnapshotException(
                SnapshotErrorCode.TimedOut,
                $"the mirror of disk {target} made no progress for {patience}");
        }
    }

    // A mirror that has a limit stands still for as long as its last step may take by that limit.
    private TimeSpan PatienceFor(MirroredDisk mirror) => options.Value.StallTimeout
        + TimeSpan.FromSeconds(mirror.BytesPerSecond is { } limit ? LargestStepBytes / (double)limit : 0);

    // A mirror that falls behind moves all the time: what is left must reach a new low now and then.
    private void ThrowIfHopeless(
        MirroredDisk mirror, BlockJobPosition position, Dictionary<string, (long LeftBytes, long At)> lows)
    {
        string target = mirror.Disk.Target;
        long left = position.EndBytes - position.CurrentBytes;
        if (position.CurrentBytes < HopelessRounds * mirror.SizeBytes)
        {
            // The disk is still being copied, or was copied once.
            return;
        }

        if (!lows.TryGetValue(target, out (long LeftBytes, long At) low) || left < low.LeftBytes)
        {
            lows[target] = (left, time.GetTimestamp());
        }
        else if (time.GetElapsedTime(low.At) is var length && length > HopelessStalls * options.Value.StallTimeout)
        {
            throw new SnapshotException(
                SnapshotErrorCode.TimedOut,
                $"the guest writes to disk {target} faster than it can be mirrored: "
                + $"for {length.TotalSeconds:0} s never less than {low.LeftBytes >> 20} MiB were left");
        }
    }

    private static bool IsReady(ServerDescription? now, MirroredDisk mirror, IBlockJobWatch jobs) =>
        jobs.LastEvent(mirror.Disk.Target) == BlockJobStatus.Ready
        || (now?.Disks.FirstOrDefault(d => d.Target == mirror.Disk.Target) is { MirrorReady: true } disk
            && disk.MirrorPath == mirror.Path);

    private async Task<BlockJobPosition?> ReadPositionAsync(
        CaptureRequest request, IServerWatch server, string target, CancellationToken cancellationToken)
    {
        try
        {
            return await hypervisor.GetBlockJobAsync(request.ServerId, target, cancellationToken).ConfigureAwait(false)
                ?? throw Ended(target);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.TimedOut)
        {
            return null;
        }
        catch (SnapshotException e) when (
            e.Code is SnapshotErrorCode.HypervisorError or SnapshotErrorCode.CopySourceFailed)
        {
            // The guest's end, of which the event may come later, is the cause.
            ThrowIfStopped(request, server);
            ServerDescription? now = await hypervisor.PeekAsync(request.ServerId, cancellationToken)
                .ConfigureAwait(false);
            throw now is { IsActive: true } ? e : Stopped(request, "it is not running any more");
        }
    }

    private static void ThrowIfStopped(CaptureRequest request, IServerWatch server)
    {
        if (server.Stopped.IsCancellationRequested)
        {
            throw Stopped(request, server.Reason);
        }
    }

    private static SnapshotException Stopped(CaptureRequest request, string? reason) => new(
        SnapshotErrorCode.ServerStopped, $"server {request.Server.Name} stopped while its disk was mirrored: {reason}");

    private static SnapshotException Ended(string target) => new(
        SnapshotErrorCode.CopySourceFailed,
        $"the mirror of disk {target} ended before it was complete: it failed, or somebody aborted it");
}
