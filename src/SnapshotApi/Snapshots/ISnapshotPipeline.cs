using System.Text.Json.Serialization;
using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Stores;
using SnapshotApi.Stores.Glance;
using SnapshotApi.Tools;

namespace SnapshotApi.Snapshots;

/// <summary>Turns one server's disks into published images.</summary>
internal interface ISnapshotPipeline
{
    /// <summary>
    /// Runs all steps. Returns when the images are published and nothing is left to undo but the images themselves,
    /// which <see cref="JobJournal.SetOutcome"/> settles together with the outcome. On any exception everything that
    /// the journal holds was tried to be undone before it is thrown; what could not be is still in the journal (<see
    /// cref="JobJournal.HasPending"/>).
    /// </summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">The snapshot failed, with its code.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled (user or shutdown).</exception>
    Task RunAsync(
        SnapshotWork work, JobJournal journal, ISnapshotObserver observer, CancellationToken cancellationToken);
}

/// <summary>
/// Told what a running snapshot does, by the pipeline and the captures. Calls are cheap, thread-safe and never throw;
/// what is told is persisted behind them.
/// </summary>
internal interface ISnapshotObserver
{
    /// <summary>The plan was made.</summary>
    void PlanMade(SnapshotPlan plan);

    /// <summary>A step began; the one before has ended.</summary>
    /// <param name="step">The step.</param>
    /// <param name="detail">A fact for the event log, for example <c>vda</c>; null for none.</param>
    void StepStarted(SnapshotStep step, string? detail = null);

    /// <summary>Something was degraded or undone; shown in the job's warnings.</summary>
    void Warn(string message);

    /// <summary>
    /// How far disks are. Disks that change phase together come in one call: the percentage never falls.
    /// </summary>
    void DisksAdvanced(IReadOnlyList<DiskProgress> disks);

    /// <summary>An image was published; the description has its name, size and properties.</summary>
    void ImagePublished(string target, Stores.StoredImage image, Stores.ImageDescription description);

    /// <summary>Guest downtime, freeze and consistency became known.</summary>
    /// <param name="consistency">What is known of the image.</param>
    /// <param name="downtime">How long the guest did not execute.</param>
    /// <param name="freeze">How long its file systems were frozen; zero when they were not.</param>
    /// <param name="frozenFileSystems">How many the guest agent froze.</param>
    void GuestAffected(
        Captures.Consistency consistency, Captures.GuestDowntime downtime, TimeSpan freeze, int frozenFileSystems);
}

/// <summary>Where a job is. Steps come in this order; a capture leaves out those that it does not need.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<SnapshotStep>))]
internal enum SnapshotStep
{
    /// <summary>Not begun.</summary>
    Pending,

    /// <summary>Server is described anew and the plan made.</summary>
    Planning,

    /// <summary>Guest memory is saved (cold).</summary>
    Saving,

    /// <summary>Top layer is cloned or copied (cold).</summary>
    Cloning,

    /// <summary>Guest is started again (cold).</summary>
    Resuming,

    /// <summary>Block job copies the disk (mirror).</summary>
    Mirroring,

    /// <summary>Backup job is begun (backup).</summary>
    BackupBeginning,

    /// <summary>The image's length is computed from the disk's allocation.</summary>
    Measuring,

    /// <summary>The image is made in the node's spool, or the disk is scanned for zeros.</summary>
    Preparing,

    /// <summary>The image is streamed into the store.</summary>
    Uploading,

    /// <summary>Digest and size are compared, the image gets its name.</summary>
    Publishing,

    /// <summary>What was made on the host is taken away.</summary>
    CleaningUp,

    /// <summary>The job is final.</summary>
    Finished,
}

/// <summary>Registers everything that turns a server's disks into images.</summary>
internal static class SnapshotRegistration
{
    /// <summary>Stores, and what the API needs of them; for every role that serves HTTP or works on a node.</summary>
    public static IServiceCollection AddStores(this IServiceCollection services) => services
        .AddSingleton<DirectoryStore>()
        .AddSingleton<IImageStore>(provider => provider.GetRequiredService<DirectoryStore>())
        .AddSingleton<GlanceClient>()
        .AddSingleton<IImageStore, GlanceStore>();

    /// <summary>Pipeline, captures, image writers and the undo executor; for a node.</summary>
    public static IServiceCollection AddSnapshots(this IServiceCollection services) => services
        .AddSingleton(CreateFaultPoint)
        .AddSingleton<ChildProcess>()
        .AddSingleton<QemuImg>()
        .AddSingleton<QemuNbd>()
        .AddSingleton(GuestDirectory.OfSystem)
        .AddSingleton<CaptureFindings>()
        .AddSingleton<StartCheck>()
        .AddSingleton<GuestClock>()
        .AddSingleton<Quiesce>()
        .AddSingleton<TopLayerCopier>()
        .AddSingleton<MirrorWait>()
        .AddSingleton<GuestPause>()
        .AddSingleton<GuestSave>()
        .AddSingleton<InternalSnapshotCapture>()
        .AddCapture<ColdCapture>()
        .AddCapture<MirrorCapture>()
        .AddCapture<BackupCapture>()
        .AddSingleton<ImageOpener>()
        .AddSingleton<Spool>()
        .AddSingleton<OwnFiles>()
        .AddSingleton<StoreUndo>()
        .AddUndo<ThawServer, Quiesce>()
        .AddUndo<UnpauseServer, GuestPause>()
        .AddUndo<ResumeServer, GuestSave>()
        .AddUndo<RemoveInternalSnapshot, InternalSnapshotCapture>()
        .AddUndo<AbortBlockJob, MirrorCapture>()
        .AddUndo<RedefineServer, MirrorCapture>()
        .AddUndo<EndBackup, BackupCapture>()
        .AddUndo<ResumeAfterIoError, BackupCapture>()
        .AddUndo<DeleteFile, OwnFiles>()
        .AddUndo<EndProcess, OwnFiles>()
        .AddUndo<DeleteImage, StoreUndo>()
        .AddSingleton<IUndoExecutor, UndoExecutor>()
        .AddSingleton<NodeBandwidth>()
        .AddSingleton<StorePlaces>()
        .AddSingleton<ImageUploader>()
        .AddSingleton<ISnapshotPipeline, SnapshotPipeline>();

    private static IServiceCollection AddCapture<T>(this IServiceCollection services)
        where T : class,
        ICapture => services.AddSingleton<T>().AddSingleton<ICapture>(provider => provider.GetRequiredService<T>());

    private static IServiceCollection AddUndo<TAction, TOwner>(this IServiceCollection services)
        where TAction : UndoAction
        where TOwner : class,
        IUndo<TAction> =>
            services.AddSingleton(provider => UndoHandler.Of<TAction>(provider.GetRequiredService<TOwner>()));

    private static IFaultPoint CreateFaultPoint(IServiceProvider provider) =>
        provider.GetRequiredService<IOptions<FaultsOptions>>().Value is { Armed: true, Directory: { } directory }
            ? new ArmedFaults(directory, provider.GetRequiredService<ILogger<ArmedFaults>>())
            : NoFaults.Instance;
}
