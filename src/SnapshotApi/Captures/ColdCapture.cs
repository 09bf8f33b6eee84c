using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Tools;

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
/// </remarks>
internal sealed class ColdCapture(
    IHypervisor hypervisor,
    GuestSave save,
    GuestPause pause,
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
        QemuFiles? files = await save.RequireReturnAsync(request, cancellationToken).ConfigureAwait(false);
        JobDirectory directory = JobDirectory.Create(options.Value.WorkDirectory, request.JobId, qemuOwner: null, journal);
        IReadOnlyList<TopLayerCopy> copies = copier.Prepare(request.Disks, directory, journal);
        foreach (TopLayerCopy copy in copies.Where(c => !c.IsClone))
        {
            copy.SizeBytes = await FindSizeAsync(request.Server, copy.Disk, cancellationToken).ConfigureAwait(false);
        }

        await DiskServing.RequireServableAsync(qemuNbd, request.Disks, directory, cancellationToken).ConfigureAwait(false);
        LowerLayerLocks lower = await LowerLayerLocks.TakeAsync(request.Disks).ConfigureAwait(false);
        try
        {
            var prepared = new Prepared(request, files, directory, copies, lower, watch);
            return await CaptureAsync(prepared, journal, observer, cancellationToken).ConfigureAwait(false);
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
        (CaptureRequest request, QemuFiles? files, JobDirectory directory, IReadOnlyList<TopLayerCopy> copies, LowerLayerLocks lower, IServerWatch watch) =
            prepared;

        // Step 2: save the guest.
        var downtime = new DowntimeClock(time);
        JournalEntry? unpause = null;
        JournalEntry? resume = null;
        if (request.Server.IsActive)
        {
            observer.StepStarted(CaptureStep.Saving);
            request = await save.RequireAsPreparedAsync(request, files, cancellationToken).ConfigureAwait(false);

            // Only of a guest that we have stopped is it known that nothing is under way.
            List<TopLayerCopy> early = files is null || request.Server.PowerState != ServerPowerState.Running ? [] : [.. copies.Where(c => c.CanBeEarly)];
            downtime.Start();
            if (early.Count > 0)
            {
                unpause = pause.Intend(journal, request.ServerId);
                bool isOurs = await save.IfStillThereAsync(
                    request, pause.BeginAsync(request.ServerId, cancellationToken), () => { }, cancellationToken).ConfigureAwait(false);
                if (!isOurs)
                {
                    // Somebody paused it a moment ago: it is saved as that.
                    journal.Settle(unpause);
                    unpause = null;
                    early = [];
                    request = request with { Server = request.Server with { PowerState = ServerPowerState.Paused } };
                }
            }

            JournalEntry start = journal.Add(new ResumeServer(request.ServerId));
            resume = start;
            var saving = new Saving(request, files, unpause is null ? SavedState.AsItIs : SavedState.Running);
            await SaveAndCopyAsync(token => save.SaveAsync(saving, start, journal, token), early, observer, cancellationToken)
                .ConfigureAwait(false);
            downtime.Saved();
        }

        // Step 3: take the top layers out of the guest's way.
        observer.StepStarted(CaptureStep.Cloning);
        await CopyLockedAsync(copies, watch, observer, cancellationToken).ConfigureAwait(false);
        await save.RequireStillOffAsync(request, watch, cancellationToken).ConfigureAwait(false);

        // Step 4: start the guest as it was.
        Task clockSet = Task.CompletedTask;
        if (resume is not null)
        {
            downtime.Copied();
            observer.StepStarted(CaptureStep.Resuming);
            await journal.UndoAsync(resume, StartAsync, cancellationToken).ConfigureAwait(false);
            if (unpause is not null)
            {
                await journal.UndoAsync(unpause, cancellationToken).ConfigureAwait(false);
            }

            clockSet = clock.SetAsync(request.Server, downtime.Elapsed.Total, observer, cancellationToken);
        }

        async Task StartAsync(CancellationToken token)
        {
            await save.StartAsync((ResumeServer)resume.Action, token).ConfigureAwait(false);
            downtime.Restored();
        }

        // Step 5: serve.
        var captured = new CapturedDisks { Consistency = Consistency.Offline, Downtime = () => downtime.Elapsed, Freeze = TimeSpan.Zero };
        captured.Own(lower);
        captured.Own(new ClockEnd(clockSet));
        IReadOnlyList<DiskLayer> Chain(TopLayerCopy copy) => [copy.Copy, .. copy.Disk.Layers.Skip(1)];
        await DiskServing.ServeAsync(
            qemuNbd, captured, [.. copies.Select(c => (c.Disk.Target, Chain(c)))], null, directory, journal, cancellationToken).ConfigureAwait(false);
        return captured;
    }

    /// <summary>Saves the memory, and copies meanwhile what has to be copied. Whichever fails ends the other.</summary>
    private static async Task SaveAndCopyAsync(
        Func<CancellationToken, Task> save, IReadOnlyList<TopLayerCopy> early, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task saving = EndBothAsync(save(either.Token), either);
        Task copying = EndBothAsync(CopyEarlyAsync(early, observer, either.Token), either);
        await Task.WhenAll(saving, copying).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // The first cause, not the cancellation that followed from it.
        cancellationToken.ThrowIfCancellationRequested();
        Task first = saving.IsFaulted ? saving : copying.IsFaulted ? copying : saving;
        await first.ConfigureAwait(false);
        await copying.ConfigureAwait(false);
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
}
