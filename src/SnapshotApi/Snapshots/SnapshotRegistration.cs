using Microsoft.Extensions.Options;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Stores;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Snapshots;

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
        .AddSingleton<StartCheck>()
        .AddSingleton<GuestClock>()
        .AddSingleton<Quiesce>()
        .AddSingleton<TopLayerCopier>()
        .AddSingleton<MirrorProgress>()
        .AddSingleton<ICapture, ColdCapture>()
        .AddSingleton<ICapture, MirrorCapture>()
        .AddSingleton<ICapture, BackupCapture>()
        .AddSingleton<ImageOpener>()
        .AddSingleton<Spool>()
        .AddSingleton<OwnFiles>()
        .AddSingleton<IUndoExecutor, UndoExecutor>()
        .AddSingleton<NodeBandwidth>()
        .AddSingleton<StorePlaces>()
        .AddSingleton<ImageUploader>()
        .AddSingleton<PersistentUploader>()
        .AddSingleton<ISnapshotPipeline, SnapshotPipeline>();

    private static IFaultPoint CreateFaultPoint(IServiceProvider provider) =>
        provider.GetRequiredService<IOptions<FaultsOptions>>().Value is { Armed: true, Directory: { } directory }
            ? new ArmedFaults(directory, provider.GetRequiredService<ILogger<ArmedFaults>>())
            : NoFaults.Instance;
}
