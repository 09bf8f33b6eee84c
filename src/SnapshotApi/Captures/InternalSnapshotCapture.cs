using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Tools;

namespace SnapshotApi.Captures;

/// <summary>As Nova's Folsom driver: the saved guest goes on when its internal snapshot is read.</summary>
/// <remarks>
/// <list type="number">
/// <item>Before the guest is touched: it could start again.</item>
/// <item>Running or paused: save its memory. Stopped: nothing.</item>
/// <item><c>qemu-img snapshot -c</c> on each disk that has no writer.</item>
/// <item>Serve each snapshot. The journal removes it, and starts the guest, when the readers are gone.</item>
/// </list>
/// </remarks>
internal sealed class InternalSnapshotCapture(
    IHypervisor hypervisor, GuestSave save, QemuNbd qemuNbd, QemuImg qemuImg, IOptions<NodeOptions> options,
    TimeProvider time)
    : ICapture, IUndo<RemoveInternalSnapshot>
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
        await DiskServing.RequireServableAsync(qemuNbd, request.Disks, directory, cancellationToken)
            .ConfigureAwait(false);
        LowerLayerLocks lower = await LowerLayerLocks.TakeAsync(request.Disks).ConfigureAwait(false);
        try
        {
            // Step 2: save the guest.
            var downtime = new DowntimeClock(time);
            if (request.Server.IsActive)
            {
                observer.StepStarted(CaptureStep.Saving);
                request = await save.RequireAsPreparedAsync(request, files, cancellationToken).ConfigureAwait(false);
                downtime.Start();
                JournalEntry resume = journal.Add(new ResumeServer(request.ServerId));
                await save.SaveAsync(new Saving(request, files, SavedState.AsItIs), resume, journal, cancellationToken)
                    .ConfigureAwait(false);
                downtime.Saved();
            }

            // Step 3: the snapshots.
            observer.StepStarted(CaptureStep.Cloning);
            string name = $"snapshotapi-{request.JobId:N}";
            await TakeAsync(request, name, journal, cancellationToken).ConfigureAwait(false);
            await save.RequireStillOffAsync(request, watch, cancellationToken).ConfigureAwait(false);

            // Step 4: serve.
            CapturedDisks captured = CapturedDisks.OfSaved(downtime);
            captured.Own(lower);
            await DiskServing.ServeAsync(
                qemuNbd, captured, [.. request.Disks.Select(d => (d.Target, d.Layers))], name, directory, journal,
                cancellationToken).ConfigureAwait(false);
            captured.Own(new ReadingEnd(downtime));
            return captured;
        }
        catch
        {
            await lower.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Removes an internal snapshot from the disk of a server that is off.</summary>
    public async Task UndoAsync(RemoveInternalSnapshot action, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.PeekAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        DiskDescription? disk = now?.Disks.FirstOrDefault(d => d.Target == action.Target);
        if (disk is null)
        {
            return;
        }

        if (now!.PowerState is not (ServerPowerState.ShutOff or ServerPowerState.Saved))
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"an internal snapshot of disk {action.Target} can be removed only while server {now.Name} is off");
        }

        IReadOnlyList<string> names = await qemuImg.ListInternalSnapshotsAsync(disk.Layers[0], cancellationToken)
            .ConfigureAwait(false);
        if (names.Contains(action.SnapshotName))
        {
            await qemuImg.DeleteInternalSnapshotAsync(disk.Layers[0], action.SnapshotName, cancellationToken)
                .ConfigureAwait(false);
        }
    }

    private async Task TakeAsync(
        CaptureRequest request, string name, JobJournal journal, CancellationToken cancellationToken)
    {
        await OwnThread.RunAsync(() => LayerLocks.RequireNoWriter(request.Disks)).ConfigureAwait(false);
        foreach (DiskDescription disk in request.Disks)
        {
            journal.Add(new RemoveInternalSnapshot(request.ServerId, disk.Target, name));
            await qemuImg.CreateInternalSnapshotAsync(disk.Layers[0], name, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The guest waits for the readers: their end ends that part of the downtime.</summary>
    private sealed class ReadingEnd(DowntimeClock downtime) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            downtime.Copied();
            return ValueTask.CompletedTask;
        }
    }
}
