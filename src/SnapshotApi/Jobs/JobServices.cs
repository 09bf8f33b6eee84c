using Hangfire;
using Hangfire.PostgreSql;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Npgsql;
using SnapshotApi.Configuration;
using SnapshotApi.Journal;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>Registration of this folder.</summary>
internal static class JobServices
{
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromMinutes(2);

    /// <summary>Adds what accepts, cancels and follows jobs. Needs <c>AddPersistence</c>.</summary>
    public static IServiceCollection AddJobs(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<JobsOptions>().Bind(configuration.GetSection(JobsOptions.Section)).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<JobsOptions>, JobsOptionsValidator>());
        services.AddHangfireClient();
        services.AddSingleton<InventoryRefresh>();
        services.AddSingleton<ServerLocator>();
        services.AddSingleton<JobSubmitter>();
        services.AddSingleton<JobCanceller>();
        services.AddSingleton<JobLimiter>();
        services.AddSingleton<JobWaiter>();
        return services;
    }

    /// <summary>
    /// Adds what runs the jobs of this node. Needs <see cref="AddJobs"/>, and of others: <c>IHypervisor</c>, <c>ISnapshotPipeline</c>,
    /// <c>IUndoExecutor</c>.
    /// </summary>
    public static IServiceCollection AddNodeWorker(this IServiceCollection services)
    {
        services.TryAddSingleton<IFaultPoint>(NoFaults.Instance);
        services.AddSingleton<NodeDirectories>();
        services.AddSingleton<LiveRuns>();
        services.AddSingleton<OutcomeDelivery>();
        services.AddSingleton<JournalRecovery>();
        services.AddSingleton<ServerProblems>();
        services.AddSingleton<JobLease>();
        services.AddSingleton<ProgressWriter>();
        services.AddTransient<JobExecution>();
        services.AddTransient<SnapshotJobRunner>();
        services.AddSingleton<NodeHeartbeat>();
        services.AddSingleton<InventoryPublisher>();
        services.AddSingleton<JobSweeper>();
        services.AddHangfireWorker();
        services.AddSingleton<NodeAgent>();
        services.AddHostedService(provider => provider.GetRequiredService<NodeAgent>());

        // Undoing a cold capture starts a guest from its saved memory; 30 s, the default, may be too short for that.
        services.Configure<HostOptions>(o => o.ShutdownTimeout = ShutdownTimeout);
        return services;
    }
}

/// <summary>Registration of Hangfire: how jobs travel to their node, and no more than that.</summary>
internal static class HangfireSetup
{
    // A notification brings a job in milliseconds; this is what one that is lost costs. Each worker asks once in that time.
    private static readonly TimeSpan QueuePollInterval = TimeSpan.FromSeconds(1);

    // After a worker's death its delivery is seen again after this time; a live one renews it. Whether a job runs is decided by its
    // lease, never by this.
    private static readonly TimeSpan InvisibilityTimeout = TimeSpan.FromMinutes(1);

    /// <summary>Adds the storage and what enqueues; nothing of it talks to the database before it is used.</summary>
    public static IServiceCollection AddHangfireClient(this IServiceCollection services)
    {
        if (services.Any(s => s.ServiceType == typeof(IGlobalConfiguration)))
        {
            return services;
        }

        services.TryAddSingleton(provider => CreateStorage(provider.GetRequiredService<NpgsqlDataSource>()));
        services.TryAddSingleton<JobStorage>(provider => provider.GetRequiredService<PostgreSqlStorage>());
        services.AddHangfire((provider, configuration) => configuration
            .UseLogProvider(new HangfireLogs(provider.GetRequiredService<ILoggerFactory>()))
            .SetDataCompatibilityLevel(CompatibilityLevel.Version_180)
            .UseSimpleAssemblyNameTypeSerializer()
            .UseRecommendedSerializerSettings()
            .UseStorage(provider.GetRequiredService<PostgreSqlStorage>()));
        services.TryAddSingleton<JobEnqueuer>();
        return services;
    }

    /// <summary>Adds the server for this node's queue; <see cref="NodeAgent"/> starts and stops it.</summary>
    public static IServiceCollection AddHangfireWorker(this IServiceCollection services)
    {
        services.AddHangfireClient();
        services.TryAddSingleton<JobServer>();
        return services;
    }

    /// <summary>Makes the storage.</summary>
    public static PostgreSqlStorage CreateStorage(NpgsqlDataSource source) => new(
        new DataSourceConnections(source),
        new PostgreSqlStorageOptions
        {
            SchemaName = DatabaseMigrator.HangfireSchema,
            PrepareSchemaIfNecessary = false,
            EnableTransactionScopeEnlistment = true,

            // Not its long polling: a worker that stops to listen just when another notification comes may wait for ever, with a job in hand
            // (https://github.com/npgsql/npgsql/issues/5975). Our listener wakes the workers: see WakefulQueueProvider.
            EnableLongPolling = false,
            QueuePollInterval = QueuePollInterval,
            UseSlidingInvisibilityTimeout = true,
            InvisibilityTimeout = InvisibilityTimeout,
        });

    /// <summary>Gives Hangfire connections of our pool.</summary>
    private sealed class DataSourceConnections(NpgsqlDataSource source) : IConnectionFactory
    {
        public NpgsqlConnection GetOrCreateConnection() => source.CreateConnection();
    }
}

/// <summary>What is where in the node's work directory, as far as jobs are concerned.</summary>
internal sealed class NodeDirectories(IOptions<NodeOptions> options)
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // QEMU, which is another user, passes through it to the files and sockets of its job.
    private const UnixFileMode Traversable = Private | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Journals, one per job.</summary>
    public string Journals => Path.Combine(options.Value.WorkDirectory, "journal");

    /// <summary>Held while a service works on this node.</summary>
    public string NodeLock => Path.Combine(options.Value.WorkDirectory, "node.lock");

    private string Locks => Path.Combine(options.Value.WorkDirectory, "locks");

    /// <summary>Held while a run works on a server.</summary>
    public string ServerLock(Guid serverId) => Path.Combine(Locks, $"{serverId:D}.lock");

    /// <summary>A file can be made there now.</summary>
    public bool CanWrite()
    {
        string probe = Path.Combine(Locks, Path.GetRandomFileName());
        try
        {
            Make();
            File.Create(probe).Dispose();
            File.Delete(probe);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Makes what is missing of it.</summary>
    /// <exception cref="IOException">It can't be made.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be made by this user.</exception>
    public void Make()
    {
        Directory.CreateDirectory(options.Value.WorkDirectory, Traversable);
        Directory.CreateDirectory(Locks, Private);
    }
}
