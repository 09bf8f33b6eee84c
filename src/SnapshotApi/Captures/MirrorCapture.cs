using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Tools;

namespace SnapshotApi.Captures;

/// <summary>
/// Nova's live snapshot: a block job copies the top layer into a file of ours and keeps it in step until it is ended
/// without pivot. The instant is the end of the copy.
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>An empty qcow2 per disk, with the backing file, backing format and size of the original.</item>
/// <item>Begin the block jobs: blockCopy with TRANSIENT_JOB, or blockRebase inside an undefine that lasts
/// milliseconds.</item>
/// <item>Wait until every mirror is ready: by event, or by the live XML; never by cur == end.</item>
/// <item>Inside the freeze, if asked, and with the CPUs stopped: wait until nothing is left to copy, then end all
/// mirrors.</item>
/// <item>Serve each copy on the original backing chain.</item>
/// </list>
/// </remarks>
internal sealed class MirrorCapture(
    IHypervisor hypervisor, Quiesce quiesce, GuestPause pause, MirrorWait wait, QemuImg qemuImg, QemuNbd qemuNbd,
    IOptions<NodeOptions> options, TimeProvider time)
    : ICapture, IUndo<AbortBlockJob>, IUndo<RedefineServer>
{
    public CaptureKind Kind => CaptureKind.Mirror;

    public async Task<CapturedDisks> BeginAsync(
        CaptureRequest request, JobJournal journal, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        using IServerWatch server = await hypervisor.WatchServerAsync(request.ServerId, cancellationToken)
            .ConfigureAwait(false);
        using IBlockJobWatch jobs = await hypervisor.WatchBlockJobsAsync(request.ServerId, cancellationToken)
            .ConfigureAwait(false);

        request = await FoundServer.AsItIsNowAsync(hypervisor, request, time, cancellationToken).ConfigureAwait(false);
        JobDirectory directory = JobDirectory.Create(
            options.Value.WorkDirectory, request.JobId, request.Server.QemuOwner, journal);

        // Step 1: destinations.
        observer.StepStarted(CaptureStep.Mirroring);
        List<MirroredDisk> mirrors = await CreateDestinationsAsync(request, directory, cancellationToken)
            .ConfigureAwait(false);
        LowerLayerLocks lower = await LowerLayerLocks.TakeAsync(mirrors.Where(m => m.IsShallow).Select(m => m.Disk))
            .ConfigureAwait(false);
        try
        {
            CapturedDisks captured = await MirrorAsync(
                new Prepared(request, directory, mirrors, server, jobs), journal, observer, cancellationToken)
                .ConfigureAwait(false);
            captured.Own(lower);
            return captured;
        }
        catch
        {
            await lower.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task<CapturedDisks> MirrorAsync(
        Prepared prepared, JobJournal journal, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        (CaptureRequest request, _, List<MirroredDisk> mirrors, _, IBlockJobWatch jobs) = prepared;

        // Step 2: begin.
        bool mustRedefine = request.BlockRebase && request.Server.IsPersistent;
        var ends = new List<JournalEntry>();
        await (mustRedefine
            ? BeginMirrorsUndefinedAsync(request, mirrors, journal, ends, cancellationToken)
            : BeginMirrorsAsync(request, mirrors, journal, ends, cancellationToken)).ConfigureAwait(false);

        // From now on libvirt lets nobody else change the chain of these disks.
        if (await hypervisor.PeekAsync(request.ServerId, cancellationToken).ConfigureAwait(false)
            is { IsActive: true } mirrored)
        {
            FoundServer.RequireSameLayers(request.Server, request.Disks, mirrored);
        }

        // Step 3: wait until all are ready.
        await wait.UntilReadyAsync(request, mirrors, prepared.Server, jobs, observer, cancellationToken)
            .ConfigureAwait(false);

        // Step 4: the instant.
        var paused = TimeSpan.Zero;
        QuiesceResult instant = await quiesce.RunAsync(
            request,
            journal,
            observer,
            async token => paused = await EndAllAsync(request, journal, ends, jobs, token).ConfigureAwait(false),
            canBeFrozen: true,
            cancellationToken).ConfigureAwait(false);

        // Step 5: serve.
        mirrors.ForEach(m => prepared.Directory.TryGiveToReader(m.Path));
        var captured = new CapturedDisks
        {
            Consistency = instant.Consistency,
            Downtime = () => new GuestDowntime(paused),
            Freeze = instant.Length,
            FrozenFileSystems = instant.FileSystems,
        };
        await DiskServing.ServeAsync(
            qemuNbd, captured, [.. mirrors.Select(m => (m.Disk.Target, m.Chain))], null, prepared.Directory, journal,
            cancellationToken).ConfigureAwait(false);
        return captured;
    }

    private async Task<List<MirroredDisk>> CreateDestinationsAsync(
        CaptureRequest request, JobDirectory directory, CancellationToken cancellationToken)
    {
        var mirrors = new List<MirroredDisk>();
        long neededBytes = 0;
        QemuFiles? files = QemuFiles.Find(request.Server);
        foreach (DiskDescription disk in request.Disks)
        {
            DiskUsage usage = await hypervisor.GetDiskUsageAsync(request.ServerId, disk.Target, cancellationToken)
                .ConfigureAwait(false);
            neededBytes += Math.Min(usage.AllocationBytes, usage.VirtualSizeBytes);
            string path = directory.Reserve($"{mirrors.Count.ToString(CultureInfo.InvariantCulture)}.mirror");
            mirrors.Add(new MirroredDisk(disk, path, usage.VirtualSizeBytes, CanStandOnLowerLayers(disk, files)));
        }

        SpaceWatch.OfWork(directory.Path, options.Value).Require("a mirror", neededBytes);
        foreach (MirroredDisk mirror in mirrors)
        {
            await qemuImg.CreateOverlayAsync(mirror.Path, mirror.SizeBytes, mirror.Backing, cancellationToken)
                .ConfigureAwait(false);
            directory.GiveToQemu(mirror.Path);
        }

        directory.OpenToQemu();
        return mirrors;
    }

    // They are read by their paths later. QEMU copies one that was replaced or removed.
    private static bool CanStandOnLowerLayers(DiskDescription disk, QemuFiles? files) =>
        files is null
            || disk.Layers.Skip(1).All(layer => files.Compare(layer) is LayerIdentity.Same or LayerIdentity.Unknown);

    private async Task BeginMirrorsAsync(
        CaptureRequest request, List<MirroredDisk> mirrors, JobJournal journal, List<JournalEntry> ends,
        CancellationToken cancellationToken)
    {
        foreach (MirroredDisk mirror in mirrors)
        {
            ends.Add(journal.Add(new AbortBlockJob(request.ServerId, mirror.Disk.Target, mirror.Path)));
            mirror.BytesPerSecond = MirrorBandwidth.ShareOf(request, mirrors.Count);
            BlockCopyRequest copy = mirror.ToRequest(request);
            await (request.BlockRebase
                ? hypervisor.BlockRebaseAsync(copy, cancellationToken)
                : hypervisor.BlockCopyAsync(copy, cancellationToken)).ConfigureAwait(false);
        }
    }

    // blockRebase refuses a persistent server. libvirt accepts the definition again as soon as the copy runs: the
    // server is transient for milliseconds, and the journal has its definition meanwhile.
    private async Task BeginMirrorsUndefinedAsync(
        CaptureRequest request, List<MirroredDisk> mirrors, JobJournal journal, List<JournalEntry> ends,
        CancellationToken cancellationToken)
    {
        NodeCapabilities node = await hypervisor.GetCapabilitiesAsync(cancellationToken).ConfigureAwait(false);
        RedefineServer definition = await ReadDefinitionAsync(request, cancellationToken).ConfigureAwait(false);
        JournalEntry redefine = journal.Add(definition);
        while (await ReadDefinitionAsync(request, cancellationToken).ConfigureAwait(false) is var now
            && now != definition)
        {
            // Somebody has changed it while it was journalled.
            JournalEntry older = redefine;
            definition = now;
            redefine = journal.Add(definition);
            journal.Settle(older);
        }

        try
        {
            await hypervisor.UndefineKeepingAllAsync(request.ServerId, node.CanKeepTpm, cancellationToken)
                .ConfigureAwait(false);
            await BeginMirrorsAsync(request, mirrors, journal, ends, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await journal.UndoInTimeAsync(redefine).ConfigureAwait(false);
        }
    }

    private async Task<RedefineServer> ReadDefinitionAsync(CaptureRequest request, CancellationToken cancellationToken)
    {
        string xml = await hypervisor.GetInactiveXmlAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        ServerDescription? now = await hypervisor.PeekAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        return new RedefineServer(request.ServerId, xml, now?.IsAutostart ?? request.Server.IsAutostart);
    }

    /// <summary>Defines the server again, transient or gone, with what libvirt keeps beside its definition.</summary>
    public async Task UndoAsync(RedefineServer action, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.PeekAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        if (now is not { IsPersistent: true })
        {
            await hypervisor.DefineAsync(action.ServerId, action.Xml, cancellationToken).ConfigureAwait(false);
        }

        if (action.IsAutostart)
        {
            await hypervisor.SetAutostartAsync(action.ServerId, isAutostart: true, cancellationToken)
                .ConfigureAwait(false);
        }
    }

    /// <summary>Ends a mirror of ours without pivot, complete or not.</summary>
    public async Task UndoAsync(AbortBlockJob action, CancellationToken cancellationToken)
    {
        ServerDescription? server = await FoundServer.FindSettledAsync(hypervisor, action.ServerId, cancellationToken)
            .ConfigureAwait(false);
        if (server?.Disks.FirstOrDefault(d => d.Target == action.Target)?.MirrorPath == action.DestinationPath)
        {
            await hypervisor.AbortBlockJobAsync(action.ServerId, action.Target, cancellationToken)
                .ConfigureAwait(false);
        }
    }

    // With the CPUs stopped nothing is left to drain when the mirrors end: libvirt reports no drain that fails, and
    // several disks are of one instant. Whether they run is asked now.
    private async Task<TimeSpan> EndAllAsync(
        CaptureRequest request, JobJournal journal, List<JournalEntry> ends, IBlockJobWatch jobs,
        CancellationToken cancellationToken)
    {
        var stopped = new Interval(time);
        ServerDescription found = await RequireThereAsync(request, ends, cancellationToken).ConfigureAwait(false);
        JournalEntry? unpause = null;
        if (found.PowerState == ServerPowerState.Running)
        {
            unpause = pause.Intend(journal, request.ServerId);
            stopped.Start();
        }

        try
        {
            if (unpause is not null
                && !await pause.BeginAsync(request.ServerId, cancellationToken).ConfigureAwait(false))
            {
                // Somebody paused it a moment ago.
                journal.Settle(unpause);
                unpause = null;
                stopped = new Interval(time);
            }

            foreach (JournalEntry end in ends)
            {
                string target = ((AbortBlockJob)end.Action).Target;
                await wait.UntilDrainedAsync(request, target, jobs, cancellationToken).ConfigureAwait(false);
            }

            foreach (JournalEntry end in ends)
            {
                var mirror = (AbortBlockJob)end.Action;
                MirrorWait.ThrowIfEnded(mirror.Target, jobs);
                await journal.UndoAsync(end, token => EndAsync(request, mirror, token), cancellationToken)
                    .ConfigureAwait(false);
            }

            ServerPowerState stood =
                found.PowerState == ServerPowerState.Running ? ServerPowerState.Paused : found.PowerState;
            await RequireStoodStillAsync(request, stood, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception) when (unpause is not null)
        {
            // The guest goes on first: its agent is asked to thaw next, and can't be while the CPUs stand.
            await journal.UndoInTimeAsync(unpause).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        if (unpause is not null)
        {
            await journal.UndoInTimeAsync(unpause).ConfigureAwait(false);
            stopped.Stop();
        }

        return stopped.Elapsed;
    }

    private async Task<ServerDescription> RequireThereAsync(
        CaptureRequest request, List<JournalEntry> ends, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.PeekAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        foreach (JournalEntry end in ends)
        {
            MirrorWait.ThrowIfGone(request, now, (AbortBlockJob)end.Action);
        }

        return now!;
    }

    // If it ran, or sleeps and can't be stopped, its disks may be of different instants.
    private async Task RequireStoodStillAsync(
        CaptureRequest request, ServerPowerState stood, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.PeekAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        if (now is { IsActive: true } && now.PowerState != stood)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"server {request.Server.Name} went on while its mirrors were ended: its disks are not of one instant");
        }
    }

    // Only a mirror that libvirt ended is complete: one of a killed QEMU may lack what was not written yet.
    private async Task EndAsync(CaptureRequest request, AbortBlockJob mirror, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.PeekAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        MirrorWait.ThrowIfGone(request, now, mirror);
        await hypervisor.AbortBlockJobAsync(request.ServerId, mirror.Target, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What was made, and is watched, before the block jobs begin.</summary>
    private sealed record Prepared(
        CaptureRequest Request, JobDirectory Directory, List<MirroredDisk> Mirrors, IServerWatch Server,
        IBlockJobWatch Jobs);
}

/// <summary>One disk that is mirrored.</summary>
/// <param name="Path">Destination file, qcow2.</param>
/// <param name="CanBeShallow">The layers below can be read by their paths.</param>
internal sealed record MirroredDisk(DiskDescription Disk, string Path, long SizeBytes, bool CanBeShallow)
{
    /// <summary>Only the top layer is copied: QEMU's layer below is there to stand on.</summary>
    public bool IsShallow => CanBeShallow && Disk.Layers.Count > 1;

    /// <summary>The layer that the copy stands on; null for a full copy.</summary>
    public DiskLayer? Backing => IsShallow ? Disk.Layers[1] : null;

    /// <summary>The copy on its chain, top layer first.</summary>
    public IReadOnlyList<DiskLayer> Chain =>
        [new DiskLayer("file", Path, "qcow2"), .. IsShallow ? Disk.Layers.Skip(1) : []];

    /// <summary>The limit that its block job was told last; null: none.</summary>
    public long? BytesPerSecond { get; set; }

    /// <summary>The block job to be begun.</summary>
    public BlockCopyRequest ToRequest(CaptureRequest request) =>
        new(request.ServerId, Disk.Target, Path, IsShallow, BytesPerSecond);
}

/// <summary>Keeps the block jobs of a capture at its present limit, divided by those that still copy.</summary>
internal static class MirrorBandwidth
{
    /// <summary>The present limit of each of so many block jobs; null: none.</summary>
    public static long? ShareOf(CaptureRequest request, int mirrors) =>
        request.Bandwidth() is { } limit ? Math.Max(1, limit / mirrors) : null;

    /// <summary>Passes a changed limit on to the block jobs that still copy.</summary>
    /// <exception cref="SnapshotException">hypervisor_error: libvirt refuses it.</exception>
    public static async Task ApplyAsync(
        IHypervisor hypervisor, CaptureRequest request, IReadOnlyList<MirroredDisk> copying,
        CancellationToken cancellationToken)
    {
        // Each mirror knows its own: the limit may have changed since it was begun, and between two of them.
        long? share = ShareOf(request, copying.Count);
        foreach (MirroredDisk mirror in copying.Where(m => m.BytesPerSecond != share))
        {
            await hypervisor.SetBlockJobSpeedAsync(request.ServerId, mirror.Disk.Target, share, cancellationToken)
                .ConfigureAwait(false);
            mirror.BytesPerSecond = share;
        }
    }
}
