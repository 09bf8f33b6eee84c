using Microsoft.Extensions.Options;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// The way of a snapshot through the node.
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>Wait for a place in the store; describe the server anew and make the plan; find out whether the store would take the images.</item>
/// <item>Capture: every disk becomes a stable NBD endpoint.</item>
/// <item>Measure all disks; then, for each: stream into the store with its digest, publish.</item>
/// <item>End the capture: readers first, then the journal.</item>
/// </list>
/// </remarks>
internal sealed class SnapshotPipeline(
    IHypervisor hypervisor,
    IEnumerable<ICapture> captures,
    InternalSnapshotCapture internalSnapshot,
    GuestClock clock,
    ImageUploader uploader,
    PersistentUploader persistent,
    NodeBandwidth bandwidth,
    StorePlaces places,
    IEnumerable<IImageStore> stores,
    IOptions<StoresOptions> options,
    TimeProvider time) : ISnapshotPipeline
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
        // Step 1: plan. A full store is waited for first: what is found out of the server must not have grown old.
        observer.StepStarted(SnapshotStep.Planning);
        string store = StoreChoice.Find(stores, work.Request, options.Value.Default).Name;
        using IDisposable? place = await places.EnterAsync(
            store,
            count => observer.StepStarted(SnapshotStep.Planning, $"waits for one of {count} places in store {store}"),
            cancellationToken).ConfigureAwait(false);
        ServerDescription server = await FoundServer.FindAnsweringAsync(hypervisor, work.ServerId, time, cancellationToken).ConfigureAwait(false)
            ?? throw new SnapshotException(SnapshotErrorCode.ServerNotFound, $"server {work.ServerId} is not on this node any more");
        server = await ChainResolver.CompleteAsync(server, cancellationToken).ConfigureAwait(false);
        NodeCapabilities node = await hypervisor.GetCapabilitiesAsync(cancellationToken).ConfigureAwait(false);
        SnapshotPlan plan = SnapshotPlanner.Plan(server, node, work.Request, options.Value.Default);
        observer.PlanMade(plan);
        BaseImage? origin = await PrepareStoreAsync(work, server, plan, observer, cancellationToken).ConfigureAwait(false);

        // Step 2: capture.
        var progress = new SnapshotProgress(observer);
        TimeSpan freeze;
        int frozen;
        Consistency consistency;
        Func<GuestDowntime> downtime;
        CaptureRequest request = ToCaptureRequest(work, server, node, plan);
        CapturedDisks captured;
        try
        {
            captured = await BeginAsync(request, plan, journal, progress, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.IsCaptureDenied && TryPlanMirror(server, node, work, e) is { } mirror)
        {
            observer.Warn($"{e.Message}; the mirror is taken instead");
            await UndoBeforeOtherCaptureAsync(journal, e).ConfigureAwait(false);
            plan = mirror;
            observer.PlanMade(plan);
            request = ToCaptureRequest(work, server, node, plan);
            captured = await BeginAsync(request, plan, journal, progress, cancellationToken).ConfigureAwait(false);
        }

        await using (captured.ConfigureAwait(false))
        {
            (consistency, freeze, downtime) = (captured.Consistency, captured.Freeze, captured.Downtime);
            frozen = captured.FrozenFileSystems;
            observer.GuestAffected(consistency, downtime(), freeze, frozen);

            // Step 3: images.
            await UploadAllAsync(work, plan, request, origin, captured, journal, observer, progress, cancellationToken).ConfigureAwait(false);
        }

        // Step 4: end the capture.
        observer.StepStarted(SnapshotStep.CleaningUp);
        IReadOnlyList<UndoFailure> failures = await journal.UndoAllAsync(exceptKept: true).ConfigureAwait(false);
        observer.GuestAffected(consistency, downtime(), freeze, frozen);
        foreach (UndoFailure failure in failures)
        {
            observer.Warn($"the image is good, but '{failure.Action.GetType().Name}' could not be done yet; the node goes on trying");
        }

        if (work.Request.InternalSnapshot)
        {
            // The guest was started again only now.
            await clock.SetAsync(request.Server, downtime().Total, progress, cancellationToken).ConfigureAwait(false);
        }

        await WarnIfGoneAsync(server, observer, cancellationToken).ConfigureAwait(false);
    }

    private async Task<CapturedDisks> BeginAsync(
        CaptureRequest request, SnapshotPlan plan, JobJournal journal, SnapshotProgress progress, CancellationToken cancellationToken)
    {
        ICapture capture = request.InternalSnapshot ? internalSnapshot : captures.First(c => c.Kind == plan.Capture);
        using (plan.Capture == CaptureKind.Mirror ? bandwidth.EnterMirroring() : null)
        {
            return await capture.BeginAsync(request, journal, progress, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Who asked for a backup by name gets that or a failure; <c>auto</c> and <c>live</c> take what there is.</summary>
    /// <returns>Null when the server can't be mirrored.</returns>
    private SnapshotPlan? TryPlanMirror(ServerDescription server, NodeCapabilities node, SnapshotWork work, SnapshotException denial)
    {
        if (work.Request.Mode is not (SnapshotMode.Auto or SnapshotMode.Live))
        {
            return null;
        }

        try
        {
            return SnapshotPlanner.Plan(server, node, work.Request with { Mode = SnapshotMode.Mirror }, options.Value.Default) with
            {
                CaptureReason = $"live, but {denial.Message}",
            };
        }
        catch (SnapshotException)
        {
            // Then the denial is what the job fails of.
            return null;
        }
    }

    private static async Task UndoBeforeOtherCaptureAsync(JobJournal journal, SnapshotException denial)
    {
        if ((await journal.UndoAllAsync().ConfigureAwait(false)).Count > 0)
        {
            throw denial;
        }
    }

    /// <summary>The image of a guest that has died meanwhile is good, but nobody may take that for a good night.</summary>
    private async Task WarnIfGoneAsync(ServerDescription found, ISnapshotObserver observer, CancellationToken cancellationToken)
    {
        if (!found.IsActive)
        {
            return;
        }

        try
        {
            ServerDescription? now = await hypervisor.FindServerAsync(found.Id, cancellationToken).ConfigureAwait(false);
            if (now is not { IsActive: true })
            {
                observer.Warn($"the image is good, but server {found.Name}, which was on when the snapshot began, is not any more: {Describe(now)}");
            }
        }
        catch (SnapshotException e)
        {
            observer.Warn($"the image is good, but whether server {found.Name} is still on could not be asked: {e.Message}");
        }
    }

    private static string Describe(ServerDescription? server) => server switch
    {
        null => "it is gone",
        { PowerState: ServerPowerState.Saved } => "its memory is saved",
        { PowerState: ServerPowerState.ShutOff, StateReason: { } reason } => $"it is shut off ({reason})",
        { PowerState: ServerPowerState.ShutOff } => "it is shut off",
        _ => "it is being shut down, or has crashed",
    };

    /// <summary>The store is asked before the guest is touched: one that is away, or does not know us, costs the guest nothing.</summary>
    /// <returns>The record of the image that the server was made from; null when there is none.</returns>
    private async Task<BaseImage?> PrepareStoreAsync(
        SnapshotWork work, ServerDescription server, SnapshotPlan plan, ISnapshotObserver observer, CancellationToken cancellationToken)
    {
        IImageStore store = StoreChoice.Find(stores, work.Request, options.Value.Default);
        await store.PrepareAsync(cancellationToken).ConfigureAwait(false);
        BaseImage? origin = null;
        if (server.Nova?.BaseImageId is { } baseId)
        {
            origin = await store.FindBaseAsync(baseId, cancellationToken).ConfigureAwait(false);
            if (origin is null && store.Name == StoreNames.Glance)
            {
                observer.Warn($"the image {baseId} that the server was made from is not in the store: nothing is inherited from it");
            }
        }

        foreach (PlannedDisk planned in plan.Disks)
        {
            DiskDescription disk = server.Disks.First(d => d.Target == planned.Target);
            StoreChoice.Require(
                store, work.Request.Name, ImageProperties.Build(work, server, origin, disk, plan, planned.Image.Format, Consistency.Application));
        }

        return origin;
    }

    private CaptureRequest ToCaptureRequest(SnapshotWork work, ServerDescription server, NodeCapabilities node, SnapshotPlan plan) => new(
        work.JobId,
        server,
        [.. plan.Disks.Select(p => server.Disks.First(d => d.Target == p.Target))],
        work.Request.Quiesce,
        work.Request.InternalSnapshot,
        work.Request.BlockRebase || !node.CanBlockCopyTransient,
        () => Least(work.Bandwidth.BytesPerSecond, bandwidth.MirrorShare));

    private static long? Least(long? one, long? other) => one is null ? other : other is null ? one : Math.Min(one.Value, other.Value);

    private async Task UploadAllAsync(
        SnapshotWork work,
        SnapshotPlan plan,
        CaptureRequest request,
        BaseImage? origin,
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
                var properties = ImageProperties.Build(work, request.Server, origin, request.Disks[i], plan, plan.Disks[i].Image.Format, captured.Consistency);
                images.Add(await uploader.MeasureAsync(
                    new ImageUploadRequest(work, plan.Store, captured.Views[i], plan.Disks[i].Image, properties),
                    observer,
                    progress,
                    either.Token).ConfigureAwait(false));
            }

            foreach (MeasuredImage image in images)
            {
                await persistent.UploadAsync(image, journal, observer, progress, either.Token).ConfigureAwait(false);
            }
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.CopySourceFailed && plan.Capture == CaptureKind.Backup)
        {
            await Task.Delay(CauseGrace, captured.Lost).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

            // Of a disk that fails, QEMU may tell us too, but not which it is.
            throw captured.LostReason is { Code: not SnapshotErrorCode.CopySourceFailed } cause ? cause : e;
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
