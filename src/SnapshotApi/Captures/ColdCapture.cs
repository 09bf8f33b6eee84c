using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Captures;

/// <summary>
/// The classic: the guest's memory is saved, its disk is taken out of its way, and it goes on.
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>See that the guest could be started again, how each top layer can be taken away, and that there is room, before the guest is touched.</item>
/// <item>Running or paused: save its memory. What has to be copied is copied meanwhile, for which the CPUs of a running guest are stopped first.
/// Stopped: nothing.</item>
/// <item>Lock the top layers; clone or copy what is not copied yet; those below are locked since step 1.</item>
/// <item>Start the guest as it was; set its clock.</item>
/// <item>Serve each clone on its original backing chain.</item>
/// </list>
/// With an internal snapshot, step 3 is <c>qemu-img snapshot -c</c>, and the guest is started when the image was read.
/// </remarks>
internal sealed class ColdCapture(
    IHypervisor hypervisor,
    StartCheck startCheck,
    TopLayerCopier copier,
    GuestClock clock,
    QemuNbd qemuNbd,
    QemuImg qemuImg,
    IOptions<NodeOptions> options,
    TimeProvider time)
    : ICapture
{
    public CaptureKind Kind => CaptureKind.Cold;

    public async Task<CapturedDisks> BeginAsync(
        CaptureRequest request, JobJournal journal, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        using IServerWatch watch = await hypervisor.WatchServerAsync(request.ServerId, cancellationToken).ConfigureAwait(false);

        // Step 1: what must hold before the guest is touched.
        request = await FoundServer.AsItIsNowAsync(hypervisor, request, time, cancellationToken).ConfigureAwait(false);
        QemuFiles? files = await RequireReturnAsync(request, cancellationToken).ConfigureAwait(false);
        JobDirectory directory = JobDirectory.Create(options.Value.WorkDirectory, request.JobId, qemuOwner: null, journal);
        IReadOnlyList<TopLayerCopy> copies = request.InternalSnapshot
            ? []
            : copier.Prepare(request.Disks, directory, journal);
        foreach (TopLayerCopy copy in copies.Where(c => !c.IsClone))
        {
            copy.SizeBytes = await FindSizeAsync(request.Server, copy.Disk, cancellationToken).ConfigureAwait(false);
        }

        for (int i = 0; i < request.Disks.Count; i++)
        {
            await DiskServing.RequireServableAsync(qemuNbd, request.Disks[i], directory, i, cancellationToken).ConfigureAwait(false);
        }

        LowerLayerLocks lower = await LowerLayerLocks.TakeAsync(request.Disks).ConfigureAwait(false);
        try
        {
            return await CaptureAsync(new Prepared(request, files, directory, copies, lower, watch), journal, observer, cancellationToken)
                .ConfigureAwait(false);
        }
        catch
        {
            await lower.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    // libvirt does not look into a volume of a guest that is off.
    private async Task<long> FindSizeAsync(ServerDescription server, DiskDescription disk, CancellationToken cancellationToken) => server.IsActive
        ? (await hypervisor.GetDiskUsageAsync(server.Id, disk.Target, cancellationToken).ConfigureAwait(false)).VirtualSizeBytes
        : (await qemuImg.InspectAsync(disk.Layers[0].Path!, disk.Layers[0].Format!, cancellationToken).ConfigureAwait(false)).VirtualSizeBytes;

    private async Task<CapturedDisks> CaptureAsync(
        Prepared prepared, JobJournal journal, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        (CaptureRequest request, QemuFiles? files, JobDirectory directory, IReadOnlyList<TopLayerCopy> copies, LowerLayerLocks lower, IServerWatch watch) = prepared;

        // Step 2: save the guest.
        var downtime = new DowntimeClock(time);
        JournalEntry? unpause = null;
        JournalEntry? resume = null;
        if (request.Server.IsActive)
        {
            observer.StepStarted(CaptureStep.Saving);
            request = await RequireAsPreparedAsync(request, cancellationToken).ConfigureAwait(false);

            // Only of a guest that we have stopped is it known that nothing is under way.
            List<TopLayerCopy> early = files is null || request.Server.PowerState != ServerPowerState.Running ? [] : [.. copies.Where(c => c.CanBeEarly)];
            downtime.Start();
            if (early.Count > 0)
            {
                unpause = journal.Add(new UnpauseServer(request.ServerId));
                await IfStillThereAsync(request, hypervisor.SuspendAsync(request.ServerId, cancellationToken), () => { }, cancellationToken).ConfigureAwait(false);
            }

            resume = journal.Add(new ResumeServer(request.ServerId));
            SavedState saved = unpause is null ? SavedState.AsItIs : SavedState.Running;
            await SaveAndCopyAsync(request, saved, early, journal, resume, observer, cancellationToken).ConfigureAwait(false);
            downtime.Saved();
        }

        // Step 3: take the top layers out of the guest's way.
        observer.StepStarted(CaptureStep.Cloning);
        string? snapshotName = request.InternalSnapshot ? $"snapshotapi-{request.JobId:N}" : null;
        if (snapshotName is not null)
        {
            await TakeInternalSnapshotsAsync(request, snapshotName, journal, cancellationToken).ConfigureAwait(false);
        }

        await CopyLockedAsync(copies, watch, observer, cancellationToken).ConfigureAwait(false);
        await RequireStillOffAsync(request, watch, cancellationToken).ConfigureAwait(false);

        // Step 4: start the guest as it was.
        Task clockSet = Task.CompletedTask;
        if (resume is not null && snapshotName is null)
        {
            downtime.Copied();
            observer.StepStarted(CaptureStep.Resuming);
            await journal.UndoAsync(resume, downtime.Restored, cancellationToken).ConfigureAwait(false);
            if (unpause is not null)
            {
                await journal.UndoAsync(unpause, cancellationToken).ConfigureAwait(false);
            }

            clockSet = clock.SetAsync(request.Server, downtime.Elapsed.Total, observer, cancellationToken);
        }

        // Step 5: serve.
        var open = new OpenCapture(request, copies, snapshotName, directory, journal, downtime, clockSet, lower);
        return await ServeAsync(open, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Preparing takes seconds: a guest that somebody has paused meanwhile is saved as paused, and any other change ends the job.</summary>
    private async Task<CaptureRequest> RequireAsPreparedAsync(CaptureRequest request, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.FindServerQuietlyAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        if (now is not { IsActive: true, IsPersistent: true, PauseObstacle: null })
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"server {request.Server.Name} is not as it was when its capture was prepared: {now?.PauseObstacle ?? "it was stopped or undefined"}; it was not touched");
        }

        return request with { Server = request.Server with { PowerState = now.PowerState, StateReason = now.StateReason } };
    }

    /// <summary>A guest that could not be started again is not saved.</summary>
    /// <returns>The files that its QEMU has open; null when it is off, or can't be told.</returns>
    private async Task<QemuFiles?> RequireReturnAsync(CaptureRequest request, CancellationToken cancellationToken)
    {
        ServerDescription server = request.Server;
        if (!server.IsActive)
        {
            return null;
        }

        string? obstacle = server.SaveObstacle ?? server.PauseObstacle ?? await startCheck.FindObstacleAsync(server, cancellationToken).ConfigureAwait(false);
        if (obstacle is not null)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"server {server.Name} can't be saved and started again: {obstacle}; it was not touched");
        }

        QemuFiles? files = QemuFiles.Find(server);
        foreach (DiskDescription disk in server.Disks.Where(d => files is not null && d.IsHardDisk))
        {
            foreach (DiskLayer layer in disk.Layers)
            {
                if (files!.Compare(layer) is LayerIdentity.Other or LayerIdentity.Gone)
                {
                    throw new SnapshotException(
                        SnapshotErrorCode.StateConflict,
                        $"the file of disk {disk.Target} of server {server.Name} is not the one that QEMU has open: it was replaced or removed, "
                        + "and would be lost with QEMU; the server was not touched, and mirror and backup still work");
                }
            }
        }

        return files;
    }

    /// <summary>Saves the memory, and copies meanwhile what has to be copied. Whichever fails ends the other.</summary>
    private async Task SaveAndCopyAsync(
        CaptureRequest request,
        SavedState saved,
        IReadOnlyList<TopLayerCopy> early,
        JobJournal journal,
        JournalEntry resume,
        ICaptureObserver observer,
        CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task saving = EndBothAsync(SaveAsync(either.Token), either);
        Task copying = EndBothAsync(CopyEarlyAsync(early, observer, either.Token), either);
        await Task.WhenAll(saving, copying).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // The first cause, not the cancellation that followed from it.
        cancellationToken.ThrowIfCancellationRequested();
        Task first = saving.IsFaulted ? saving : copying.IsFaulted ? copying : saving;
        await first.ConfigureAwait(false);
        await copying.ConfigureAwait(false);

        // What somebody else has saved is his to start.
        Task SaveAsync(CancellationToken token) => IfStillThereAsync(
            request, hypervisor.ManagedSaveAsync(request.ServerId, saved, token), () => journal.Settle(resume), token);
    }

    private static async Task EndBothAsync(Task one, CancellationTokenSource either)
    {
        try
        {
            await one.ConfigureAwait(false);
        }
        catch
        {
            await either.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Waits for a call that stops the guest, and tells when somebody else was quicker.</summary>
    private async Task IfStillThereAsync(CaptureRequest request, Task call, Action onGone, CancellationToken cancellationToken)
    {
        try
        {
            await call.ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.HypervisorError)
        {
            ServerDescription? now = await hypervisor.FindServerQuietlyAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
            if (now is not { IsActive: false })
            {
                throw;
            }

            onGone();
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"server {request.Server.Name} was saved or stopped by somebody else before its memory could be saved", e);
        }
    }

    private static async Task CopyEarlyAsync(IReadOnlyList<TopLayerCopy> early, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        foreach (TopLayerCopy copy in early)
        {
            await copy.RunEarlyAsync((done, end) => observer.CopyAdvanced(copy.Disk.Target, copy.SizeBytes, done, end), cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task CopyLockedAsync(
        IReadOnlyList<TopLayerCopy> copies, IServerWatch watch, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        if (copies.Count == 0)
        {
            return;
        }

        using LayerLocks locks = await TopLayerCopier.LockAsync(copies).ConfigureAwait(false);
        bool stoodStill = !watch.Resumed.IsCancellationRequested && !watch.HasMissedEvents;
        foreach (TopLayerCopy copy in copies.Where(c => !(stoodStill && c.IsEarlyCopyTrue())))
        {
            // A clone takes no time: nothing to show.
            Action<long, long> advanced = copy.IsClone ? (_, _) => { } : (done, end) => observer.CopyAdvanced(copy.Disk.Target, copy.SizeBytes, done, end);
            await copy.RunAsync(advanced, watch.Started, cancellationToken).ConfigureAwait(false);
        }
    }

    // Events may have been lost with their connection. Where QEMU's locks hold, nobody can have written; not so on a device.
    private async Task RequireStillOffAsync(CaptureRequest request, IServerWatch watch, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.FindServerQuietlyAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        if (watch.Started.IsCancellationRequested || now is { PowerState: not (ServerPowerState.ShutOff or ServerPowerState.Saved) })
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"server {request.Server.Name} was started by somebody else while its disk was copied");
        }

        if (watch.HasMissedEvents && request.Disks.Any(d => d.Layers[0].SourceType == "block"))
        {
            throw new SnapshotException(
                SnapshotErrorCode.HypervisorUnavailable,
                $"libvirt was away while a device of server {request.Server.Name} was copied: whether it was started meanwhile can't be told");
        }
    }

    private async Task TakeInternalSnapshotsAsync(
        CaptureRequest request, string name, JobJournal journal, CancellationToken cancellationToken)
    {
        await Task.Factory.StartNew(
            () => LayerLocks.RequireNoWriter(request.Disks), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
            .ConfigureAwait(false);
        foreach (DiskDescription disk in request.Disks)
        {
            journal.Add(new RemoveInternalSnapshot(request.ServerId, disk.Target, name));
            await qemuImg.CreateInternalSnapshotAsync(disk.Layers[0], name, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<CapturedDisks> ServeAsync(OpenCapture open, CancellationToken cancellationToken)
    {
        var views = new List<DiskView>();
        var captured = new CapturedDisks
        {
            Views = views,
            Consistency = Consistency.Offline,
            Downtime = () => open.Downtime.Elapsed,
            Freeze = TimeSpan.Zero,
        };
        captured.Own(open.Lower);
        captured.Own(new ClockEnd(open.ClockSet));
        try
        {
            for (int i = 0; i < open.Request.Disks.Count; i++)
            {
                DiskDescription disk = open.Request.Disks[i];
                IReadOnlyList<DiskLayer> chain = open.SnapshotName is null ? [open.Copies[i].Copy, .. disk.Layers.Skip(1)] : disk.Layers;
                QemuNbdServer server = await DiskServing.ServeAsync(
                    qemuNbd, chain, open.SnapshotName, open.Directory, i, open.Journal, cancellationToken).ConfigureAwait(false);
                captured.Own(server);
                views.Add(new DiskView(disk.Target, server.Endpoint));
            }

            if (open.SnapshotName is not null)
            {
                captured.Own(new ReadingEnd(open.Downtime));
            }

            return captured;
        }
        catch
        {
            await captured.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>What the views of a capture are made from.</summary>
    private sealed record OpenCapture(
        CaptureRequest Request,
        IReadOnlyList<TopLayerCopy> Copies,
        string? SnapshotName,
        JobDirectory Directory,
        JobJournal Journal,
        DowntimeClock Downtime,
        Task ClockSet,
        LowerLayerLocks Lower);

    /// <summary>What was found out, and taken, before the guest is touched.</summary>
    private sealed record Prepared(
        CaptureRequest Request,
        QemuFiles? Files,
        JobDirectory Directory,
        IReadOnlyList<TopLayerCopy> Copies,
        LowerLayerLocks Lower,
        IServerWatch Watch);

    /// <summary>The guest's clock is set beside the reading, which must not end before it is told whether that was done.</summary>
    private sealed class ClockEnd(Task clockSet) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await clockSet.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>With an internal snapshot the guest waits for the readers of the image: their end is the end of that part.</summary>
    private sealed class ReadingEnd(DowntimeClock downtime) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            downtime.Copied();
            return ValueTask.CompletedTask;
        }
    }
}
