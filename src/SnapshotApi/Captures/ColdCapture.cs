using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Tools;

namespace SnapshotApi.Captures;

/// <summary>The classic: the guest's memory is saved, its top layers are cloned or copied, and it goes on.</summary>
/// <remarks>
/// <list type="number">
/// <item>Before the guest is touched: it could start again, each top layer can be cloned or copied, there is
/// room.</item>
/// <item>Running or paused: save its memory. What has to be copied is copied meanwhile, for which the CPUs of a running
/// guest are stopped first. Stopped: nothing.</item>
/// <item>Lock the top layers; clone or copy what is not copied yet. The layers below are locked since step 1.</item>
/// <item>Start the guest as it was; set its clock.</item>
/// <item>Serve each clone on its original backing chain.</item>
/// </list>
/// </remarks>
internal sealed class ColdCapture(
    IHypervisor hypervisor, GuestSave save, GuestPause pause, TopLayerCopier copier, GuestClock clock, QemuNbd qemuNbd,
    QemuImg qemuImg, IOptions<NodeOptions> options, TimeProvider time)
    : ICapture
{
    public CaptureKind Kind => CaptureKind.Cold;

    public async Task<CapturedDisks> BeginAsync(
        CaptureRequest request, JobJournal journal, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        using IServerWatch watch = await hypervisor.WatchServerAsync(request.ServerId, cancellationToken)
            .ConfigureAwait(false);

        // Step 1: what must hold before the guest is touched.
        request = await FoundServer.AsItIsNowAsync(hypervisor, request, time, cancellationToken).ConfigureAwait(false);
        QemuFiles? files = await save.RequireReturnAsync(request, cancellationToken).ConfigureAwait(false);
        JobDirectory directory = JobDirectory.CreateForReading(
            options.Value.WorkDirectory, request.JobId, request.Server.QemuOwner, journal);
        IReadOnlyList<TopLayerCopy> copies = copier.Prepare(request.Disks, directory, journal);
        foreach (TopLayerCopy copy in copies.Where(c => !c.IsClone))
        {
            copy.SizeBytes = await FindSizeAsync(request.Server, copy.Disk, cancellationToken).ConfigureAwait(false);
        }

        await DiskServing.RequireServableAsync(qemuNbd, request.Disks, directory, cancellationToken)
            .ConfigureAwait(false);
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
    private async Task<long> FindSizeAsync(
        ServerDescription server, DiskDescription disk, CancellationToken cancellationToken)
    {
        if (server.IsActive)
        {
            return (await hypervisor.GetDiskUsageAsync(server.Id, disk.Target, cancellationToken).ConfigureAwait(false))
                .VirtualSizeBytes;
        }

        DiskLayer top = disk.Layers[0];
        return (await qemuImg.InspectAsync(top.Path!, top.Format!, cancellationToken).ConfigureAwait(false))
            .VirtualSizeBytes;
    }

    private async Task<CapturedDisks> CaptureAsync(
        Prepared prepared, JobJournal journal, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        CaptureRequest request = prepared.Request;
        (_, QemuFiles? files, _, IReadOnlyList<TopLayerCopy> copies, _, IServerWatch watch) = prepared;

        // Step 2: save the guest.
        var downtime = new DowntimeClock(time);
        JournalEntry? unpause = null;
        JournalEntry? resume = null;
        if (request.Server.IsActive)
        {
            observer.StepStarted(CaptureStep.Saving);
            request = await save.RequireAsPreparedAsync(request, files, cancellationToken).ConfigureAwait(false);

            // Nothing is under way for certain only in a guest that this job has stopped.
            List<TopLayerCopy> early = files is null || request.Server.PowerState != ServerPowerState.Running
                ? []
                : [.. copies.Where(c => c.CanBeEarly)];
            downtime.Start();
            if (early.Count > 0)
            {
                unpause = pause.Intend(journal, request.ServerId);
                Task<bool> stop = pause.BeginAsync(request.ServerId, cancellationToken);
                if (!await save.IfStillThereAsync(request, stop, () => { }, cancellationToken).ConfigureAwait(false))
                {
                    // Somebody paused it a moment ago: it is saved as paused.
                    journal.Settle(unpause);
                    unpause = null;
                    early = [];
                    request = request with { Server = request.Server with { PowerState = ServerPowerState.Paused } };
                }
            }

            JournalEntry start = journal.Add(new ResumeServer(request.ServerId));
            resume = start;
            var saving = new Saving(request, files, unpause is null ? SavedState.AsItIs : SavedState.Running);
            await SaveAndCopyAsync(
                token => save.SaveAsync(saving, start, journal, token), early, observer, cancellationToken)
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
        CapturedDisks captured = CapturedDisks.OfSaved(downtime);
        captured.Own(prepared.Lower);
        captured.Own(new ClockEnd(clockSet));
        foreach (TopLayerCopy copy in copies)
        {
            prepared.Directory.TryGiveToReader(copy.Copy.Path!);
        }

        await DiskServing.ServeAsync(
            qemuNbd, captured, [.. copies.Select(c => (c.Disk.Target, c.Chain))], null, prepared.Directory, journal,
            cancellationToken).ConfigureAwait(false);
        return captured;
    }

    // Saves the memory, and copies meanwhile what has to be copied. If one fails, it ends the other.
    private static async Task SaveAndCopyAsync(
        Func<CancellationToken, Task> save, IReadOnlyList<TopLayerCopy> early, ICaptureObserver observer,
        CancellationToken cancellationToken)
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

    private static async Task CopyEarlyAsync(
        IReadOnlyList<TopLayerCopy> early, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        foreach (TopLayerCopy copy in early)
        {
            await copy.RunEarlyAsync(Advanced(copy, observer), cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task CopyLockedAsync(
        IReadOnlyList<TopLayerCopy> copies, IServerWatch watch, ICaptureObserver observer,
        CancellationToken cancellationToken)
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
            Action<long, long> advanced = copy.IsClone ? (_, _) => { } : Advanced(copy, observer);
            await copy.RunAsync(advanced, watch.Started, cancellationToken).ConfigureAwait(false);
        }
    }

    private static Action<long, long> Advanced(TopLayerCopy copy, ICaptureObserver observer) =>
        (done, end) => observer.CopyAdvanced(copy.Disk.Target, copy.SizeBytes, done, end);

    /// <summary>What was found out, and taken, before the guest is touched.</summary>
    private sealed record Prepared(
        CaptureRequest Request, QemuFiles? Files, JobDirectory Directory, IReadOnlyList<TopLayerCopy> Copies,
        LowerLayerLocks Lower, IServerWatch Watch);

    /// <summary>The guest's clock is set beside the reading, whose end waits for that.</summary>
    private sealed class ClockEnd(Task clockSet) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await clockSet.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
