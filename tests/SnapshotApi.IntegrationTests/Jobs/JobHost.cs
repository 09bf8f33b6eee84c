using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Hypervisor;
using SnapshotApi.Jobs;
using SnapshotApi.Journal;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Tests.Fakes;
using SnapshotApi.Tools;

namespace SnapshotApi.IntegrationTests.Jobs;

/// <summary>The service without its HTTP and its libvirt: jobs, database and Hangfire are real.</summary>
internal sealed class JobHost : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _connectionString;
    private readonly bool _ownsDirectory;
    private readonly Dictionary<string, string?> _settings;

    /// <param name="connectionString">The database.</param>
    /// <param name="workDirectory">Work directory of a former host; null: a new one, deleted at the end.</param>
    /// <param name="settings">Configuration that differs from the tests' own.</param>
    public JobHost(string connectionString, string? workDirectory = null, Dictionary<string, string?>? settings = null)
    {
        (_connectionString, _ownsDirectory) = (connectionString, workDirectory is null);
        WorkDirectory = workDirectory ?? Directory.CreateTempSubdirectory("snapshotapi-jobs-").FullName;
        _settings = settings ?? [];
    }

    public string WorkDirectory { get; }

    public FakeHypervisor Hypervisor { get; init; } = new();

    public FakePipeline Pipeline { get; init; } = new();

    public FakeUndoExecutor Undo { get; init; } = new();

    /// <summary>What the check of the captures does; null: that of the service.</summary>
    public ICanaryTrial? Trial { get; init; }

    public IHost? Host { get; private set; }

    public JobTable Jobs => Get<JobTable>();

    public static SnapshotRequest Request(string name = "image") => new(name);

    public T Get<T>()
        where T : notnull => Host!.Services.GetRequiredService<T>();

    /// <summary>Starts the service; with <paramref name="isNode"/> false only what an API process has.</summary>
    public async Task StartAsync(bool isNode = true)
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:Snapshots"] = _connectionString,
            ["Node:Name"] = "test-node",
            ["Node:WorkDirectory"] = WorkDirectory,
            ["Node:CheckCaptures"] = "off",
            ["Stores:Directory:Path"] = Path.Combine(WorkDirectory, "images"),
            ["Jobs:HeartbeatInterval"] = "00:00:00.5",
            ["Jobs:LeaseDuration"] = "00:00:05",
            ["Jobs:RefreshTimeout"] = "00:00:05",
            ["Jobs:SweepInterval"] = "00:00:01",
            ["Jobs:ProgressInterval"] = "00:00:00.1",
            ["Jobs:LostAfter"] = "00:00:01",
        });
        builder.Configuration.AddInMemoryCollection(_settings);
        builder.Logging.SetMinimumLevel(LogLevel.Debug).AddProvider(new TestOutputLogs());
        builder.Services.AddOptions<NodeOptions>().Bind(builder.Configuration.GetSection(NodeOptions.Section));
        builder.Services.AddOptions<StoresOptions>().Bind(builder.Configuration.GetSection(StoresOptions.Section));
        builder.Services.AddPersistence(builder.Configuration);
        builder.Services.AddStores();
        builder.Services.AddJobs(builder.Configuration, ServiceRole.All);
        builder.Services.AddSingleton<IHypervisor>(Hypervisor);
        builder.Services.AddSingleton<ChildProcess>();
        builder.Services.AddSingleton<StartCheck>();
        builder.Services.AddSingleton<ISnapshotPipeline>(Pipeline);
        builder.Services.AddSingleton<IUndoExecutor>(Undo);
        if (isNode)
        {
            if (Trial is not null)
            {
                builder.Services.AddSingleton<ICanaryTrial>(Trial);
            }

            builder.Services.AddNodeWorker();
        }

        Host = builder.Build();
        await Host.StartAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Starts the service and waits until its node is published and it hears notifications.</summary>
    public async Task<ServerDescription> StartWithServerAsync(string name = "fed18")
    {
        ServerDescription server = Hypervisor.Put(FakeHypervisor.Describe(name));
        await StartAsync();
        await WaitUntilPublishedAsync(name);
        return server;
    }

    public async Task WaitUntilPublishedAsync(string server) => await UntilAsync(
        async ct => Get<DatabaseListener>().IsListening && Get<DatabaseStartup>().IsReady
            && (await Get<ServerTable>().FindAsync(server, ct)).Count > 0);

    public Task<JobRecord> SubmitAsync(string server, SnapshotRequest? request = null, IdempotencyKey? key = null) =>
        Get<JobSubmitter>().SubmitAsync(
            server, request ?? Request(), key, prepare: null, TestContext.Current.CancellationToken);

    /// <summary>Waits for a job to get there; it fails the test when the job becomes final as something else.</summary>
    public async Task<JobRecord> WaitForAsync(Guid jobId, Func<JobRecord, bool> isThere)
    {
        long version = -1;
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            JobRecord? job = await Get<JobFeed>().WaitForChangeAsync(
                jobId, version, TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
            Assert.NotNull(job);
            if (isThere(job))
            {
                return job;
            }

            Assert.False(job.IsFinal, $"the job became {job.Status}: {job.Error}");
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Patience, $"the job stays as it is: {job}");
            version = job.Version;
        }
    }

    public Task<JobRecord> WaitForAsync(Guid jobId, JobStatus status) => WaitForAsync(jobId, j => j.Status == status);

    /// <summary>Polls until something holds, for a while.</summary>
    public static async Task UntilAsync(Func<CancellationToken, Task<bool>> holds)
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        while (!await holds(limit.Token))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), limit.Token);
        }
    }

    public async Task StopAsync()
    {
        if (Host is { } host)
        {
            Host = null;
            await host.StopAsync(CancellationToken.None);
            await DisposeAsync(host);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        if (_ownsDirectory)
        {
            Directory.Delete(WorkDirectory, recursive: true);
        }
    }

    private static async ValueTask DisposeAsync(IHost host)
    {
        if (host is IAsyncDisposable disposable)
        {
            await disposable.DisposeAsync();
        }
        else
        {
            host.Dispose();
        }
    }
}
