using System.Collections.Concurrent;
using System.Data;
using System.Security.Cryptography;
using System.Text;
using System.Transactions;
using Hangfire;
using Hangfire.AspNetCore;
using Hangfire.Logging;
using Hangfire.PostgreSql;
using Hangfire.Server;
using Hangfire.States;
using Hangfire.Storage;
using Npgsql;
using Polly;
using SnapshotApi.Persistence;
using LogLevel = Microsoft.Extensions.Logging.LogLevel;

namespace SnapshotApi.Jobs;

/// <summary>
/// All that the service has of Hangfire: it carries jobs to their node, at least once, and decides nothing. Here are
/// its registration, <see cref="JobEnqueuer"/> at one end of the queue and <see cref="JobServer"/> at the other, which
/// calls <see cref="SnapshotJobRunner"/>.
/// </summary>
internal static class HangfireQueue
{
    private const string QueuePrefix = "node_";

    // Bytes of the hash: enough that two names of one installation never meet.
    private const int HashBytes = 4;

    // A notification brings a job in milliseconds, the sweeper finds what was lost, and JobServer wakes the workers
    // while no notifications arrive: a worker that asks by itself is a statement for nothing.
    private static readonly TimeSpan QueuePollInterval = TimeSpan.FromMinutes(5);

    // Only the dashboard looks at Hangfire's servers.
    private static readonly TimeSpan ServerHeartbeat = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan ServerTimeout = TimeSpan.FromMinutes(10);

    // A dead worker's delivery is seen again after this time; a live one renews it five times as often. The job's lease
    // decides if it runs, and the sweeper delivers it again when that has ended.
    private static readonly TimeSpan InvisibilityTimeout = TimeSpan.FromMinutes(5);

    // Nobody deletes deliveries of jobs at work but by the dashboard, and the run does not heed it.
    private static readonly TimeSpan CancellationCheckInterval = TimeSpan.FromMinutes(5);

    /// <summary>Adds the storage and what enqueues; none of it talks to the database before it is used.</summary>
    public static IServiceCollection AddHangfireClient(this IServiceCollection services) => services
        .AddSingleton(provider => CreateStorage(provider.GetRequiredService<NpgsqlDataSource>()))
        .AddSingleton<JobStorage>(provider => provider.GetRequiredService<PostgreSqlStorage>())
        .AddHangfire((provider, configuration) => configuration
            .UseLogProvider(new HangfireLogs(provider.GetRequiredService<ILoggerFactory>()))
            .SetDataCompatibilityLevel(CompatibilityLevel.Version_180)
            .UseSimpleAssemblyNameTypeSerializer()
            .UseRecommendedSerializerSettings()
            .UseStorage(provider.GetRequiredService<PostgreSqlStorage>()))
        .AddSingleton<JobEnqueuer>();

    /// <summary>Adds what deletes Hangfire's expired rows and adds up its counters: not a node's work.</summary>
    public static IServiceCollection AddHangfireUpkeep(this IServiceCollection services) =>
        services.AddHostedService<HangfireUpkeep>();

    /// <summary>Options of a server of Hangfire's that runs jobs, and nothing else.</summary>
    public static BackgroundJobServerOptions WorkerOptions(string name, string queue, int workers) => new()
    {
        ServerName = name,
        Queues = [queue],
        WorkerCount = workers,
        IsLightweightServer = true,
        HeartbeatInterval = ServerHeartbeat,
        ServerTimeout = ServerTimeout,
        ServerCheckInterval = ServerTimeout,
        CancellationCheckInterval = CancellationCheckInterval,
    };

    /// <summary>Options of a server of Hangfire's that runs no jobs.</summary>
    public static BackgroundProcessingServerOptions UpkeepOptions(string name, TimeSpan grace) => new()
    {
        ServerName = name,
        HeartbeatInterval = ServerHeartbeat,
        ServerTimeout = ServerTimeout,
        ServerCheckInterval = ServerTimeout,
        ShutdownTimeout = grace,
    };

    public static PostgreSqlStorage CreateStorage(NpgsqlDataSource source) => new(
        new DataSourceConnections(source),
        new PostgreSqlStorageOptions
        {
            SchemaName = DatabaseMigrator.HangfireSchema,
            PrepareSchemaIfNecessary = false,
            EnableTransactionScopeEnlistment = true,

            // Not its long polling: a worker that stops listening just when another notification comes may wait for
            // ever (https://github.com/npgsql/npgsql/issues/5975). WakefulQueueProvider wakes the workers.
            EnableLongPolling = false,
            QueuePollInterval = QueuePollInterval,
            UseSlidingInvisibilityTimeout = true,
            InvisibilityTimeout = InvisibilityTimeout,
        });

    /// <summary>
    /// The queue of a node: <c>node_</c> and its name. Hangfire allows a-z, 0-9, '-' and '_'; in a name with anything
    /// else that becomes '_', and a hash is added, so that different nodes never share a queue.
    /// </summary>
    public static string NameOf(string node)
    {
        string legal = string.Concat(
            node.Select(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' ? c : '_'));
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(node));
        return legal == node
            ? QueuePrefix + node
            : $"{QueuePrefix}{legal}_{Convert.ToHexStringLower(hash.AsSpan(0, HashBytes))}";
    }

    /// <summary>Gives Hangfire connections of our pool.</summary>
    private sealed class DataSourceConnections(NpgsqlDataSource source) : IConnectionFactory
    {
        public NpgsqlConnection GetOrCreateConnection() => source.CreateConnection();
    }

    /// <summary>
    /// Gives Hangfire our log. It keeps its provider in a static: that of a host that has ended must not make the next
    /// host of this process fail.
    /// </summary>
    private sealed class HangfireLogs(ILoggerFactory loggers) : ILogProvider, ILog
    {
        private readonly AspNetCoreLogProvider _inner = new(loggers);

        public ILog GetLogger(string name)
        {
            try
            {
                return _inner.GetLogger(name);
            }
            catch (ObjectDisposedException)
            {
                return this;
            }
        }

        // The log of a host that has ended.
        public bool Log(
            Hangfire.Logging.LogLevel logLevel, Func<string>? messageFunc, Exception? exception = null) => false;
    }
}

/// <summary>
/// Puts jobs on their node's queue. Inside a <c>TransactionScope</c> the enqueue belongs to it: Hangfire takes its
/// connection from our data source, and Npgsql gives all connections that are opened one after the other in a scope the
/// same physical one, so that one local transaction spans our statements and Hangfire's.
/// </summary>
internal sealed class JobEnqueuer(PostgreSqlStorage storage, IGlobalConfiguration hangfire, JobTable jobs)
{
    // No retries of Hangfire's: in a transaction that failed, all that follows fails too.
    private readonly BackgroundJobClient _client = CreateClient(storage, hangfire);

    /// <summary>Begins a transaction for our statements and the enqueue; <c>Complete</c> commits it.</summary>
    public static TransactionScope BeginTransaction() => new(
        TransactionScopeOption.RequiresNew,
        new TransactionOptions { IsolationLevel = System.Transactions.IsolationLevel.ReadCommitted },
        TransactionScopeAsyncFlowOption.Enabled);

    /// <summary>Enqueues a job. Delivered at least once; the claim makes that one run.</summary>
    /// <exception cref="SnapshotException">database_unavailable.</exception>
    public async Task EnqueueAsync(Guid jobId, string node, CancellationToken cancellationToken)
    {
        try
        {
            string delivery = _client.Create<SnapshotJobRunner>(
                runner => runner.RunAsync(jobId, CancellationToken.None),
                new EnqueuedState(HangfireQueue.NameOf(node)));
            await jobs.NoteDeliveryAsync(jobId, delivery, cancellationToken).ConfigureAwait(false);
        }
        catch (BackgroundJobClientException e) when (DatabaseFault.IsAwayInside(e))
        {
            throw DatabaseFault.Translate(e);
        }
    }

    private static BackgroundJobClient CreateClient(PostgreSqlStorage storage, IGlobalConfiguration hangfire)
    {
        // Making this object configures Hangfire's serializer and log; it has no other use.
        ArgumentNullException.ThrowIfNull(hangfire);
        return new BackgroundJobClient(storage) { RetryAttempts = 0 };
    }
}

/// <summary>Hangfire's server for the node's queue. Started when the node is clean, not when the host starts.</summary>
internal sealed partial class JobServer(
    NpgsqlDataSource source,
    DatabaseListener listener,
    IServiceScopeFactory scopes,
    IGlobalConfiguration hangfire,
    LiveRuns live,
    IOptions<NodeOptions> options,
    IOptions<HostOptions> host,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<JobServer> logger) : IDisposable
{
    private const int PollsPerWake = 30;

    // What Hangfire's workers need after their last run to write down how it went.
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan RunPollInterval = TimeSpan.FromMilliseconds(50);

    // How often workers look for a job while no notifications arrive, and while they do: one may be lost.
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    private BackgroundJobServer? _server;
    private IDisposable? _subscription;
    private ITimer? _polling;
    private CancellationTokenRegistration _stopping;

    /// <summary>Begins to take jobs. While the database is away the workers wait for it.</summary>
    public void Start()
    {
        // Making this object configures Hangfire's serializer and log; it has no other use.
        ArgumentNullException.ThrowIfNull(hangfire);
        string queue = HangfireQueue.NameOf(options.Value.Name);
        PostgreSqlStorage storage = HangfireQueue.CreateStorage(source);
        var provider = new WakefulQueueProvider(storage.QueueProviders.GetProvider(queue));
        storage.QueueProviders.Add(provider, [queue]);
        _subscription = listener.Subscribe(Channels.Queue, node =>
        {
            // Null: a notification may have been missed.
            if (node is null || node == options.Value.Name)
            {
                provider.Wake();
            }
        });
        BackgroundJobServerOptions workers =
            HangfireQueue.WorkerOptions(options.Value.Name, queue, options.Value.MaxJobs);
        workers.Activator = new AspNetCoreJobActivator(scopes);

        // The host tells runs to stop, and they undo what they did; until then their workers wait for them.
        workers.ShutdownTimeout = host.Value.ShutdownTimeout;
        _server = new BackgroundJobServer(workers, storage);
        int polls = 0;
        _polling = time.CreateTimer(
            _ =>
            {
                if (!listener.IsListening || Interlocked.Increment(ref polls) % PollsPerWake == 0)
                {
                    provider.Wake();
                }
            },
            null,
            PollInterval,
            PollInterval);

        // Before anything else stops: the web server, which stops first, may wait for its clients, and meanwhile jobs
        // that were handed back would be fetched again.
        _stopping = lifetime.ApplicationStopping.Register(_server.SendStop);
    }

    /// <summary>Takes no more jobs and waits for those at work to be handed back.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_server is not { } server)
        {
            return;
        }

        server.SendStop();
        while (live.Count > 0)
        {
            await Task.Delay(RunPollInterval, time, cancellationToken).ConfigureAwait(false);
        }

        // Not for ever: a worker may be waiting for a database that is away.
        try
        {
            await server.WaitForShutdownAsync(cancellationToken)
                .WaitAsync(StopGrace, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            LogSlow(StopGrace.TotalMilliseconds);
        }
    }

    public void Dispose()
    {
        _stopping.Dispose();
        _subscription?.Dispose();
        _polling?.Dispose();
        _server?.Dispose();
    }

    [LoggerMessage(6110, LogLevel.Debug,
        "No run is at work, but Hangfire's upkeep did not stop within {GraceMs} ms; it is left behind")]
    private partial void LogSlow(double graceMs);
}

/// <summary>Hangfire's own upkeep of its tables, in processes that serve the API; it makes them take turns.</summary>
internal sealed class HangfireUpkeep(
    PostgreSqlStorage storage, IGlobalConfiguration hangfire, DatabaseStartup database, IOptions<NodeOptions> node)
    : BackgroundService
{
    // It can't be stopped while it waits, for up to five minutes, for a lock that a killed process has left: then it is
    // left behind. The next one does its work.
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Making this object configures Hangfire's serializer and log; it has no other use.
        ArgumentNullException.ThrowIfNull(hangfire);
        await database.WaitAsync(stoppingToken).ConfigureAwait(false);
        using var server = new BackgroundProcessingServer(
            storage, Enumerable.Empty<IBackgroundProcess>(), new Dictionary<string, object>(),
            HangfireQueue.UpkeepOptions($"{node.Value.Name}-upkeep", StopGrace));
        await Task.Delay(Timeout.InfiniteTimeSpan, stoppingToken).ConfigureAwait(false);
    }
}

/// <summary>
/// A queue whose workers are woken when a job is enqueued, and which waits for a database that is away. Hangfire's own
/// back-off grows with the square of the tries, up to five minutes: far too long once the database is back.
/// </summary>
internal sealed class WakefulQueueProvider(IPersistentJobQueueProvider inner) : IPersistentJobQueueProvider
{
    private static readonly ResiliencePipeline Away = RetryPolicies.Queue(DatabaseFault.IsAwayInside);

    private readonly ConcurrentDictionary<PostgreSqlJobQueue, bool> _waiting = new();

    // Hangfire asks for one each time that a worker looks for a job.
    public IPersistentJobQueue GetJobQueue() => new Queue(this, (PostgreSqlJobQueue)inner.GetJobQueue());

    public IPersistentJobQueueMonitoringApi GetJobQueueMonitoringApi() => inner.GetJobQueueMonitoringApi();

    /// <summary>Makes every worker that waits look for a job. Returns at once, never throws.</summary>
    public void Wake()
    {
        foreach (PostgreSqlJobQueue queue in _waiting.Keys)
        {
            queue.FetchNextJob();
        }
    }

    private sealed class Queue(WakefulQueueProvider owner, PostgreSqlJobQueue inner) : IPersistentJobQueue
    {
        // Called on a worker's own thread, which has nothing to do but to wait.
        public IFetchedJob Dequeue(string[] queues, CancellationToken cancellationToken)
        {
            // Registered before the first look: what is enqueued after that look wakes it.
            owner._waiting.TryAdd(inner, true);
            try
            {
                return Away.Execute(token => inner.Dequeue(queues, token), cancellationToken);
            }
            catch (Exception e) when (DatabaseFault.IsAwayInside(e) && cancellationToken.IsCancellationRequested)
            {
                throw new OperationCanceledException("the service stops", e, cancellationToken);
            }
            finally
            {
                owner._waiting.TryRemove(inner, out _);
            }
        }

        public void Enqueue(IDbConnection connection, string queue, string jobId) =>
            inner.Enqueue(connection, queue, jobId);
    }
}
