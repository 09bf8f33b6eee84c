using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// The way of a snapshot through the node.
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>Wait for a place in the store; describe the server anew and make the plan; find out whether the store would
/// take the images.</item>
/// <item>Capture: every disk becomes a stable NBD endpoint.</item>
/// <item>Measure all disks; then, for each: prepare where that is needed, stream into the store with its digest,
/// publish.</item>
/// <item>End the capture: readers first, then the journal. Where the last image is spooled, before that is sent.</item>
/// </list>
/// </remarks>
internal sealed class SnapshotPipeline(
    IHypervisor hypervisor, IEnumerable<ICapture> captures, CaptureFindings findings,
    InternalSnapshotCapture internalSnapshot, GuestClock clock, ImageUploader uploader, NodeBandwidth bandwidth,
    StorePlaces places, IEnumerable<IImageStore> stores, IOptions<StoresOptions> options, TimeProvider time)
    : ISnapshotPipeline
{
    // A QEMU that is told to end closes its NBD server at once; libvirt reports its end up to 15 s later.
    private static readonly TimeSpan CauseGrace = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan EndAgainInterval = TimeSpan.FromSeconds(5);

    public async Task RunAsync(
        SnapshotWork work, JobJournal journal, ISnapshotObserver observer, CancellationToken cancellationToken)
    {
        try
        {
            var run = new SnapshotRun(work, journal, observer, new SnapshotProgress(observer));
            await RunStepsAsync(run, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            observer.StepStarted(SnapshotStep.CleaningUp);
            await journal.UndoAllAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task RunStepsAsync(SnapshotRun run, CancellationToken cancellationToken)
    {
        // Step 1: plan. A full store is waited for first: what is found out of the server must not have grown old.
        (SnapshotWork work, JobJournal journal, ISnapshotObserver observer, SnapshotProgress progress) = run;
        observer.StepStarted(SnapshotStep.Planning);
        string store = StoreChoice.Find(stores, work.Request, options.Value.Default).Name;
        using IDisposable? place = await places.EnterAsync(
            store,
            count => observer.StepStarted(SnapshotStep.Planning, $"waits for one of {count} places in store {store}"),
            cancellationToken).ConfigureAwait(false);
        ServerDescription server = await FoundServer.FindAnsweringAsync(
            hypervisor, work.ServerId, time, cancellationToken).ConfigureAwait(false)
            ?? throw new SnapshotException(
                SnapshotErrorCode.ServerNotFound, $"server {work.ServerId} is not on this node any more");
        server = await ChainResolver.CompleteAsync(server, cancellationToken).ConfigureAwait(false);
        NodeCapabilities node = await hypervisor.GetCapabilitiesAsync(cancellationToken).ConfigureAwait(false);
        SnapshotPlan plan = Plan(server, node, work.Request);
        observer.PlanMade(plan);
        BaseImage? origin = await PrepareStoreAsync(work, server, plan, observer, cancellationToken)
            .ConfigureAwait(false);

        // Step 2: capture.
        CaptureRequest request = ToCaptureRequest(work, server, node, plan);
        CapturedDisks captured;
        try
        {
            captured = await BeginAsync(run, request, plan, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.IsCaptureDenied && TryPlanMirror(server, node, work, e) is { } mirror)
        {
            observer.Warn($"{e.Message}; the mirror is taken instead");
            await UndoBeforeOtherCaptureAsync(journal, e).ConfigureAwait(false);
            plan = mirror;
            observer.PlanMade(plan);
            request = ToCaptureRequest(work, server, node, plan);
            captured = await BeginAsync(run, request, plan, cancellationToken).ConfigureAwait(false);
        }

        var capture = new OpenCapture(run, request, plan, origin, captured);
        await using (captured.ConfigureAwait(false))
        {
            capture.Report();

            // Step 3: images.
            await UploadAllAsync(capture, cancellationToken).ConfigureAwait(false);
        }

        // Step 4: end the capture.
        observer.StepStarted(SnapshotStep.CleaningUp);
        foreach (UndoFailure failure in await journal.UndoAllAsync(exceptKept: true).ConfigureAwait(false))
        {
            observer.Warn(
                $"the image is good, but '{failure.Action.GetType().Name}' could not be done yet; "
                + "the node goes on trying");
        }

        await ReportEndAsync(capture, cancellationToken).ConfigureAwait(false);
        await WarnIfGoneAsync(server, observer, cancellationToken).ConfigureAwait(false);
    }

    private async Task<CapturedDisks> BeginAsync(
        SnapshotRun run, CaptureRequest request, SnapshotPlan plan, CancellationToken cancellationToken)
    {
        ICapture capture = request.InternalSnapshot ? internalSnapshot : captures.First(c => c.Kind == plan.Capture);
        using (plan.Capture == CaptureKind.Mirror ? bandwidth.EnterMirroring() : null)
        {
            return await capture.BeginAsync(request, run.Journal, run.Progress, cancellationToken)
                .ConfigureAwait(false);
        }
    }

    private SnapshotPlan Plan(ServerDescription server, NodeCapabilities node, SnapshotRequest request) =>
        SnapshotPlanner.Plan(server, node, findings.For(server), request, options.Value.Default);

    /// <summary>For <c>auto</c> and <c>live</c>; a request for a backup by name gets that or a failure.</summary>
    /// <returns>Null when the server can't be mirrored.</returns>
    private SnapshotPlan? TryPlanMirror(
        ServerDescription server, NodeCapabilities node, SnapshotWork work, SnapshotException denial)
    {
        if (work.Request.Mode is not (SnapshotMode.Auto or SnapshotMode.Live))
        {
            return null;
        }

        try
        {
            return Plan(server, node, work.Request with { Mode = SnapshotMode.Mirror }) with
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

    /// <summary>The image of a guest that has died meanwhile is good, but the operator must know.</summary>
    private async Task WarnIfGoneAsync(
        ServerDescription found, ISnapshotObserver observer, CancellationToken cancellationToken)
    {
        if (!found.IsActive)
        {
            return;
        }

        try
        {
            ServerDescription? now = await hypervisor.FindServerAsync(found.Id, cancellationToken)
                .ConfigureAwait(false);
            if (now is not { IsActive: true })
            {
                observer.Warn(
                    $"the image is good, but server {found.Name}, which was on when the snapshot began, "
                    + $"is not any more: {Describe(now)}");
            }
        }
        catch (SnapshotException e)
        {
            observer.Warn(
                $"the image is good, but whether server {found.Name} is still on could not be asked: {e.Message}");
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

    /// <summary>Asks the store before the guest is touched: a store that fails costs the guest nothing.</summary>
    /// <returns>The record of the image that the server was made from; null when there is none.</returns>
    private async Task<BaseImage?> PrepareStoreAsync(
        SnapshotWork work,
        ServerDescription server,
        SnapshotPlan plan,
        ISnapshotObserver observer,
        CancellationToken cancellationToken)
    {
        IImageStore store = StoreChoice.Find(stores, work.Request, options.Value.Default);
        await store.PrepareAsync(cancellationToken).ConfigureAwait(false);
        BaseImage? origin = null;
        if (server.Nova?.BaseImageId is { } baseId)
        {
            origin = await store.FindBaseAsync(baseId, cancellationToken).ConfigureAwait(false);
            if (origin is null && store.Name == StoreNames.Glance)
            {
                observer.Warn(
                    $"the image {baseId} that the server was made from is not in the store: "
                    + "nothing is inherited from it");
            }
        }

        foreach (PlannedDisk planned in plan.Disks)
        {
            DiskDescription disk = server.Disks.First(d => d.Target == planned.Target);
            StoreChoice.Require(
                store,
                work.Request.Name,
                ImageProperties.Build(work, server, origin, disk, plan, planned.Image.Format, Consistency.Application));
        }

        return origin;
    }

    private CaptureRequest ToCaptureRequest(
        SnapshotWork work, ServerDescription server, NodeCapabilities node, SnapshotPlan plan) => new(
        work.JobId,
        server,
        [.. plan.Disks.Select(p => server.Disks.First(d => d.Target == p.Target))],
        work.Request.Quiesce,
        work.Request.InternalSnapshot,
        work.Request.BlockRebase || !node.CanBlockCopyTransient,
        () => Least(work.Bandwidth.BytesPerSecond, bandwidth.MirrorShare));

    private static long? Least(long? one, long? other) =>
        one is null ? other : other is null ? one : Math.Min(one.Value, other.Value);

    private async Task UploadAllAsync(OpenCapture capture, CancellationToken cancellationToken)
    {
        (SnapshotRun run, CaptureRequest request, SnapshotPlan plan, _, CapturedDisks captured) = capture;
        using IDisposable streaming = bandwidth.EnterStreaming();
        var images = new List<PlannedImage>();
        try
        {
            // Every disk is measured before the first is sent: the job's total is known from then on.
            await WhileOpenAsync(capture, MeasureAsync, cancellationToken).ConfigureAwait(false);
            foreach (PlannedImage image in images)
            {
                await WhileOpenAsync(capture, token => ImageUploader.PrepareAsync(run, image, token), cancellationToken)
                    .ConfigureAwait(false);
                await (image == images[^1] && image.Image.IsDetached
                    ? UploadDetachedAsync(capture, image, cancellationToken)
                    : WhileOpenAsync(capture, token => uploader.UploadAsync(run, image, token), cancellationToken))
                    .ConfigureAwait(false);
                await image.DisposeAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            foreach (PlannedImage image in images)
            {
                await image.DisposeAsync().ConfigureAwait(false);
            }
        }

        async Task MeasureAsync(CancellationToken token)
        {
            for (int i = 0; i < captured.Views.Count; i++)
            {
                PlannedDisk disk = plan.Disks[i];
                IReadOnlyDictionary<string, string> properties = ImageProperties.Build(
                    run.Work,
                    request.Server,
                    capture.Origin,
                    request.Disks[i],
                    plan,
                    disk.Image.Format,
                    captured.Consistency);
                PlannedImage image = await uploader.MeasureAsync(
                    run, plan.Store, captured.Views[i], disk.Image, properties, token).ConfigureAwait(false);
                images.Add(image);
            }
        }
    }

    /// <summary>Runs what reads the views of a capture. Their loss ends it, and is thrown.</summary>
    private static async Task WhileOpenAsync(
        OpenCapture capture, Func<CancellationToken, Task> read, CancellationToken cancellationToken)
    {
        CapturedDisks captured = capture.Disks;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, captured.Lost);
        try
        {
            await read(either.Token).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.CopySourceFailed
            && capture.Plan.Capture == CaptureKind.Backup)
        {
            await Task.Delay(CauseGrace, captured.Lost).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

            // Our error names the disk; QEMU's event does not.
            throw captured.LostReason is { Code: not SnapshotErrorCode.CopySourceFailed } cause ? cause : e;
        }
        catch (Exception) when (captured.LostReason is not null && !cancellationToken.IsCancellationRequested)
        {
            // The first cause is what is reported, not the broken pipe that followed from it.
            throw captured.LostReason;
        }

        // The last byte may have been read after the views were lost.
        if (captured.LostReason is { } reason)
        {
            throw reason;
        }
    }

    /// <summary>
    /// Sends the last image after the capture has ended: nobody reads the disks any more, so the guest pays nothing.
    /// </summary>
    private async Task UploadDetachedAsync(OpenCapture capture, PlannedImage image, CancellationToken cancellationToken)
    {
        await capture.Disks.DisposeAsync().ConfigureAwait(false);
        bool hasEnded = await TryEndAsync(capture, cancellationToken).ConfigureAwait(false);
        using var uploading = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task ending = hasEnded ? Task.CompletedTask : GoOnEndingAsync(capture, uploading.Token);
        try
        {
            await uploader.UploadAsync(capture.Run, image, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await uploading.CancelAsync().ConfigureAwait(false);
            await ending.ConfigureAwait(false);
        }
    }

    /// <summary>Ends what is left of the capture; what fails stays in the journal.</summary>
    private async Task<bool> TryEndAsync(OpenCapture capture, CancellationToken cancellationToken)
    {
        IReadOnlyList<UndoFailure> failures =
            await capture.Run.Journal.UndoAllAsync(exceptKept: true, upTo: capture.LastEntry).ConfigureAwait(false);
        if (failures.Count > 0)
        {
            return false;
        }

        await ReportEndAsync(capture, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Nobody watches the scratch files of such a backup: its end can't wait for that of the upload.</summary>
    private async Task GoOnEndingAsync(OpenCapture capture, CancellationToken cancellationToken)
    {
        do
        {
            await Task.Delay(EndAgainInterval, time, cancellationToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        while (!cancellationToken.IsCancellationRequested
            && !await TryEndAsync(capture, cancellationToken).ConfigureAwait(false));
    }

    private async Task ReportEndAsync(OpenCapture capture, CancellationToken cancellationToken)
    {
        if (capture.HasEnded)
        {
            return;
        }

        capture.HasEnded = true;
        capture.Report();
        if (capture.Request.InternalSnapshot)
        {
            // The guest was started again only now.
            TimeSpan stood = capture.Disks.Downtime().Total;
            await clock.SetAsync(capture.Request.Server, stood, capture.Run.Progress, cancellationToken)
                .ConfigureAwait(false);
        }
    }

    /// <summary>A capture whose disks are being read, and what is to become of them.</summary>
    private sealed record OpenCapture(
        SnapshotRun Run, CaptureRequest Request, SnapshotPlan Plan, BaseImage? Origin, CapturedDisks Disks)
    {
        /// <summary>The last entry of the journal that belongs to the capture.</summary>
        public long LastEntry { get; } = Run.Journal.Pending is [.., var last] ? last.Sequence : -1;

        /// <summary>Nothing of it is left on the host.</summary>
        public bool HasEnded { get; set; }

        public void Report() =>
            Run.Observer.GuestAffected(Disks.Consistency, Disks.Downtime(), Disks.Freeze, Disks.FrozenFileSystems);
    }
}
