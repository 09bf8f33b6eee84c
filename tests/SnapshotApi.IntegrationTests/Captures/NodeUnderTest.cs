using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SnapshotApi.Configuration;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.IntegrationTests.Jobs;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Journal;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>The node side of the service in this process, on the real libvirt, without database; work and store directories of its own.</summary>
internal sealed class NodeUnderTest : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly string _root;
    private readonly TestOutputLogs _logs = new();

    public NodeUnderTest(
        string? workDirectory = null,
        Action<NodeOptions>? configure = null,
        Action<StoresOptions>? configureStores = null,
        Action<IServiceCollection>? replace = null)
    {
        _root = Directory.CreateDirectory(Path.Combine(Requires.LabDirectory(), $"n{Guid.NewGuid():N}"[..8])).FullName;
        WorkDirectory = workDirectory ?? Path.Combine(_root, "w");
        StoreDirectory = Path.Combine(_root, "store");
        Directory.CreateDirectory(WorkDirectory);
        IServiceCollection services = new ServiceCollection()
            .AddLogging(logs => logs.AddProvider(_logs))
            .AddSingleton(TimeProvider.System)
            .Configure<NodeOptions>(o =>
            {
                o.WorkDirectory = WorkDirectory;
                configure?.Invoke(o);
            })
            .Configure<StoresOptions>(o =>
            {
                o.Directory.Path = StoreDirectory;
                configureStores?.Invoke(o);
            })
            .AddHypervisor()
            .AddStores()
            .AddSnapshots();
        replace?.Invoke(services);
        _services = services.BuildServiceProvider();
    }

    public string WorkDirectory { get; }

    /// <summary>How often what could not be undone is tried again after the run: after 1, 2, 4... seconds, as the node's recovery does.</summary>
    public int UndoRetries { get; init; }

    public string StoreDirectory { get; }

    /// <summary>The limit of the next snapshot, to be changed while it runs; null: what the request says.</summary>
    public BandwidthLimit? Bandwidth { get; set; }

    public IHypervisor Hypervisor => _services.GetRequiredService<IHypervisor>();

    public IUndoExecutor Undo => _services.GetRequiredService<IUndoExecutor>();

    /// <summary>Runs one snapshot; on return the journal is settled and deleted.</summary>
    public async Task<RecordingObserver> SnapshotAsync(Guid serverId, SnapshotRequest request, CancellationToken cancellationToken, RecordingObserver? observer = null)
    {
        observer ??= new RecordingObserver();
        using JobJournal journal = NewJournal(serverId, out Guid jobId);
        try
        {
            await _services.GetRequiredService<ISnapshotPipeline>()
                .RunAsync(new SnapshotWork(jobId, serverId, 1, request, Bandwidth ?? new BandwidthLimit(TimeProvider.System, request.BandwidthBytesPerSecond)), journal, observer, cancellationToken);
        }
        finally
        {
            // What can't be undone yet is tried again, as the service does.
            for (int i = 0; i < 60 && journal.Pending.Any(e => !e.IsKept); i++)
            {
                await Task.Delay(TimeSpan.FromSeconds(1 << i), CancellationToken.None);
                await journal.UndoAllAsync(exceptKept: true);
            }

            journal.SetOutcome(new { });
            for (int i = 0; i < UndoRetries && journal.HasPending; i++)
            {
                await Task.Delay(TimeSpan.FromSeconds(1 << i), CancellationToken.None);
                await journal.UndoAllAsync();
            }

            Assert.False(journal.HasPending, string.Join(", ", journal.Pending.Select(e => e.Action.ToString())));
            journal.Delete();
        }

        return observer;
    }

    /// <summary>Path of a published image.</summary>
    public string ImagePath(StoredImage image) => Path.Combine(StoreDirectory, image.Location);

    /// <summary>Asserts that no file of a job is left in the work directory, nor an unpublished image in the store.</summary>
    public void AssertNoLeftovers()
    {
        string[] roots = [Path.Combine(WorkDirectory, "run"), Path.Combine(WorkDirectory, "journal"), Path.Combine(StoreDirectory, ".partial")];
        Assert.Empty(roots.Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries));
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        _logs.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    private JobJournal NewJournal(Guid serverId, out Guid jobId)
    {
        jobId = Guid.NewGuid();
        return JobJournal.Create(
            Path.Combine(WorkDirectory, "journal"), new JournalHeader(jobId, serverId, 1, 1), Undo, TimeProvider.System, _logs.CreateLogger("journal"));
    }
}
