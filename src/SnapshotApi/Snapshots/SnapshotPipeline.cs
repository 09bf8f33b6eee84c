using Microsoft.Extensions.Options;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Snapshots;

/// <summary>
/// The way of a snapshot through the node.
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>Describe the server anew and make the plan.</item>
/// <item>Capture: every disk becomes a stable NBD endpoint.</item>
/// <item>Measure all disks; then, for each: stream into the store with its digest, publish.</item>
/// <item>End the capture: readers first, then the journal.</item>
/// </list>
/// </remarks>
internal sealed class SnapshotPipeline(
    IHypervisor hypervisor,
    IEnumerable<ICapture> captures,
    ImageUploader uploader,
    NodeBandwidth bandwidth,
    IOptions<StoresOptions> stores) : ISnapshotPipeline
{
    // A QEMU that is told to end closes its NBD server at once and its process up to 15 s later; only then libvirt tells of it.
    private static readonly TimeSpan CauseGrace = TimeSpan.FromSeconds(20);

    public async Task RunAsync(
        SnapshotWork work, JobJournal journal, ISnapshotObserver observer, CancellationToken cancellationToken)
    {
        try
        {
            await RunStepsAsync(work, journal, observer, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            observer.StepStarted(SnapshotStep.CleaningUp);
            await journal.UndoAllAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task RunStepsAsync(
        SnapshotWork work, JobJournal journal, ISnapshotObserver observer, CancellationToken cancellationToken)
    {
        // Step 1: plan.
        observer.StepStarted(SnapshotStep.Planning);
        ServerDescription server = await hypervisor.FindServerAsync(work.ServerId, cancellationToken).ConfigureAwait(false)
            ?? throw new SnapshotException(SnapshotErrorCode.ServerNotFound, $"server {work.ServerId} is not on this node any more");
        NodeCapabilities node = await hypervisor.GetCapabilitiesAsync(cancellationToken).ConfigureAwait(false);
        SnapshotPlan plan = SnapshotPlanner.Plan(server, node, work.Request, stores.Value.Default);
        observer.PlanMade(plan);
        CaptureRequest request = ToCaptureRequest(work, server, plan);

        // Step 2: capture.
        var progress = new SnapshotProgress(observer);
        ICapture capture = captures.First(c => c.Kind == plan.Capture);
        TimeSpan freeze;
        Consistency consistency;
        Func<GuestDowntime> downtime;
        CapturedDisks captured;
        using (plan.Capture == CaptureKind.Mirror ? bandwidth.EnterMirroring() : null)
        {
            captured = await capture.BeginAsync(request, journal, progress, cancellationToken).ConfigureAwait(false);
        }

        await using (captured.ConfigureAwait(false))
        {
            (consistency, freeze, downtime) = (captured.Consistency, captured.Freeze, captured.Downtime);
            observer.GuestAffected(consistency, downtime(), freeze);

            // Step 3: images.
            await UploadAllAsync(work, plan, request, captured, journal, observer, progress, cancellationToken).ConfigureAwait(false);
        }

        // Step 4: end the capture.
        observer.StepStarted(SnapshotStep.CleaningUp);
        IReadOnlyList<UndoFailure> failures = await journal.UndoAllAsync(exceptKept: true).ConfigureAwait(false);
        observer.GuestAffected(consistency, downtime(), freeze);
        foreach (UndoFailure failure in failures)
        {
            observer.Warn($"the image is good, but '{failure.Action.GetType().Name}' could not be done yet; the node goes on trying");
        }
    }

    private CaptureRequest ToCaptureRequest(SnapshotWork work, ServerDescription server, SnapshotPlan plan) => new(
        work.JobId,
        server,
        [.. plan.Disks.Select(p => ChainResolver.Complete(server.Disks.First(d => d.Target == p.Target)))],
        work.Request.Quiesce,
        work.Request.InternalSnapshot,
        work.Request.BlockRebase,
        () => Least(work.Bandwidth.BytesPerSecond, bandwidth.MirrorShare));

    private static long? Least(long? one, long? other) => one is null ? other : other is null ? one : Math.Min(one.Value, other.Value);

    private async Task UploadAllAsync(
        SnapshotWork work,
        SnapshotPlan plan,
        CaptureRequest request,
        CapturedDisks captured,
        JobJournal journal,
        ISnapshotObserver observer,
        SnapshotProgress progress,
        CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, captured.Lost);
        using IDisposable streaming = bandwidth.EnterStreaming();
        var images = new List<MeasuredImage>();
        try
        {
            // Every disk is measured before the first is sent: the job's total is known from then on.
            for (int i = 0; i < captured.Views.Count; i++)
            {
                var properties = ImageProperties.Build(work, request.Server, request.Disks[i], plan, plan.Disks[i].Format, captured.Consistency);
                images.Add(await uploader.MeasureAsync(
                    new ImageUploadRequest(work, plan.Store, captured.Views[i], plan.Disks[i].Format, properties),
                    observer,
                    progress,
                    either.Token).ConfigureAwait(false));
            }

            foreach (MeasuredImage image in images)
            {
                await uploader.UploadAsync(image, journal, observer, progress, either.Token).ConfigureAwait(false);
            }
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.CopySourceFailed && plan.Capture == CaptureKind.Backup)
        {
            await Task.Delay(CauseGrace, captured.Lost).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw captured.LostReason ?? e;
        }
        catch (Exception) when (captured.LostReason is not null && !cancellationToken.IsCancellationRequested)
        {
            // The first cause is what is reported, not the broken pipe that followed from it.
            throw captured.LostReason;
        }
        finally
        {
            foreach (MeasuredImage image in images)
            {
                await image.DisposeAsync().ConfigureAwait(false);
            }
        }

        // The last byte may have been read after the views were lost.
        if (captured.LostReason is { } reason)
        {
            throw reason;
        }
    }
}
