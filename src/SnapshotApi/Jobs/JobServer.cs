using Hangfire;
using Hangfire.PostgreSql;
using Microsoft.Extensions.Options;
using Npgsql;
using SnapshotApi.Configuration;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

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
    // What Hangfire's workers need after their last run to write down how it went.
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan RunPollInterval = TimeSpan.FromMilliseconds(50);

    private BackgroundJobServer? _server;
    private IDisposable? _subscription;
    private CancellationTokenRegistration _stopping;

    /// <summary>Begins to take jobs; a database that is away is tried again for ever.</summary>
    public void Start()
    {
        // What configures Hangfire - its serializer, its log - is the making of this object; it is of no other use.
        ArgumentNullException.ThrowIfNull(hangfire);
        string queue = NodeQueue.Of(options.Value.Name);
        PostgreSqlStorage storage = HangfireSetup.CreateStorage(source);
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
        _server = new BackgroundJobServer(
            new BackgroundJobServerOptions
            {
                ServerName = options.Value.Name,
                Queues = [queue],
                WorkerCount = options.Value.MaxJobs,
                Activator = new Hangfire.AspNetCore.AspNetCoreJobActivator(scopes),

                // Runs are told to stop by the host and undo what they did; until then their workers wait for them.
                ShutdownTimeout = host.Value.ShutdownTimeout,
            },
            storage);

        // First of all: the web server, which stops before this does, may wait for its clients, and meanwhile jobs that were handed back would
        // be fetched again.
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

        // Not for ever: Hangfire's expiration manager can't be stopped while it waits for a lock that a killed process has left, for
        // up to five minutes. What it would do is done by the next one.
        try
        {
            await server.WaitForShutdownAsync(cancellationToken).WaitAsync(StopGrace, time, cancellationToken).ConfigureAwait(false);
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
        _server?.Dispose();
    }

    [LoggerMessage(EventId = 6110, Level = LogLevel.Debug,
        Message = "No run is at work, but Hangfire's upkeep did not stop within {GraceMs} ms; it is left behind")]
    private partial void LogSlow(double graceMs);
}
