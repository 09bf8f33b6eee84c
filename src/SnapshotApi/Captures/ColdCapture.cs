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
/// <item>See how each top layer can be taken away, and that there is room, before the guest is touched.</item>
/// <item>Running or paused: save its memory. Stopped: nothing.</item>
/// <item>Clone the top layers, or copy them; the layers below have no writer anyway.</item>
/// <item>Start the guest as it was.</item>
/// <item>Serve each clone on its original backing chain.</item>
/// </list>
/// With an internal snapshot, step 3 is <c>qemu-img snapshot -c</c>, and the guest is started when the image was read.
/// </remarks>
internal sealed class ColdCapture(
    IHypervisor hypervisor, TopLayerCopier copier, QemuNbd qemuNbd, QemuImg qemuImg, IOptions<NodeOptions> options, TimeProvider time)
    : ICapture
{
    public CaptureKind Kind => CaptureKind.Cold;

    public async Task<CapturedDisks> BeginAsync(
        CaptureRequest request, JobJournal journal, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        JobDirectory directory = JobDirectory.Create(options.Value.WorkDirectory, request.JobId, qemuOwner: null, journal);
        using IServerWatch watch = await hypervisor.WatchServerAsync(request.ServerId, cancellationToken).ConfigureAwait(false);

        // Step 1: how each top layer can be taken away.
        IReadOnlyList<TopLayerCopy> copies = request.InternalSnapshot
            ? []
            : copier.Prepare(request.Disks, directory, journal);

        // Step 2: save the guest.
        bool wasActive = request.Server.PowerState is ServerPowerState.Running or ServerPowerState.Paused;
        var downtime = new DowntimeClock(time);
        JournalEntry? resume = null;
        if (wasActive)
        {
            observer.StepStarted(CaptureStep.Saving);
            resume = journal.Add(new ResumeServer(request.ServerId));
            downtime.Start();
            await hypervisor.ManagedSaveAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
            downtime.Saved();
        }

        // Step 3: take the top layers out of the guest's way.
        observer.StepStarted(CaptureStep.Cloning);
        string? snapshotName = request.InternalSnapshot ? $"snapshotapi-{request.JobId:N}" : null;
        if (snapshotName is not null)
        {
            await TakeInternalSnapshotsAsync(request, snapshotName, journal, cancellationToken).ConfigureAwait(false);
        }

        foreach (TopLayerCopy copy in copies)
        {
            // A clone takes no time: nothing to show.
            Action<long, long> advanced = copy.IsClone ? (_, _) => { } : (done, end) => observer.CopyAdvanced(copy.Disk.Target, end, done, end);
            await copy.RunAsync(advanced, watch.Started, cancellationToken).ConfigureAwait(false);
        }

        ThrowIfStarted(watch, request);

        // Step 4: start the guest as it was.
        if (resume is not null && snapshotName is null)
        {
            downtime.Copied();
            observer.StepStarted(CaptureStep.Resuming);
            await journal.UndoAsync(resume, downtime.Restored, cancellationToken).ConfigureAwait(false);
        }

        // Step 5: serve.
        return await ServeAsync(request, copies, snapshotName, directory, journal, downtime, cancellationToken).ConfigureAwait(false);
    }

    private async Task TakeInternalSnapshotsAsync(
        CaptureRequest request, string name, JobJournal journal, CancellationToken cancellationToken)
    {
        foreach (DiskDescription disk in request.Disks)
        {
            journal.Add(new RemoveInternalSnapshot(request.ServerId, disk.Target, name));
            await qemuImg.CreateInternalSnapshotAsync(disk.Layers[0], name, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<CapturedDisks> ServeAsync(
        CaptureRequest request,
        IReadOnlyList<TopLayerCopy> copies,
        string? snapshotName,
        JobDirectory directory,
        JobJournal journal,
        DowntimeClock downtime,
        CancellationToken cancellationToken)
    {
        var views = new List<DiskView>();
        var captured = new CapturedDisks
        {
            Views = views,
            Consistency = Consistency.Offline,
            Downtime = () => downtime.Elapsed,
            Freeze = TimeSpan.Zero,
        };
        try
        {
            for (int i = 0; i < request.Disks.Count; i++)
            {
                DiskDescription disk = request.Disks[i];
                IReadOnlyList<DiskLayer> chain = snapshotName is null ? [copies[i].Copy, .. disk.Layers.Skip(1)] : disk.Layers;
                QemuNbdServer server = await DiskServing.ServeAsync(
                    qemuNbd, chain, snapshotName, directory, i, journal, cancellationToken).ConfigureAwait(false);
                captured.Own(server);
                views.Add(new DiskView(disk.Target, server.Endpoint));
            }

            if (snapshotName is not null)
            {
                captured.Own(new ReadingEnd(downtime));
            }

            return captured;
        }
        catch
        {
            await captured.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static void ThrowIfStarted(IServerWatch watch, CaptureRequest request)
    {
        if (watch.Started.IsCancellationRequested)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"server {request.Server.Name} was started by somebody else while its disk was copied");
        }
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
