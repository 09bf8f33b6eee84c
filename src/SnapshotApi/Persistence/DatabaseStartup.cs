using Microsoft.Extensions.Options;
using Npgsql;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;

namespace SnapshotApi.Persistence;

/// <summary>
/// Migrates the database in the background of the service's start, for as long as it takes to answer: a node must undo what its
/// journals hold also while the database is away.
/// </summary>
internal sealed partial class DatabaseStartup(
    DatabaseMigrator migrator,
    NpgsqlDataSource source,
    IOptions<DatabaseOptions> options,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<DatabaseStartup> logger) : BackgroundService
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(2);

    // A database that is there answers within milliseconds; one that is away must not hold up what a node has to undo.
    private static readonly TimeSpan FirstLookTimeout = TimeSpan.FromSeconds(3);

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The schema is up to date, as far as it is this service's to see to that.</summary>
    public bool IsReady => _ready.Task.IsCompletedSuccessfully;

    /// <summary>Why the service does not run on this database; null: it does, or that is not known yet.</summary>
    public UnsuitableDatabaseException? Refusal { get; private set; }

    /// <summary>Waits until <see cref="IsReady"/>.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => _ready.Task.WaitAsync(cancellationToken);

    /// <summary>Looks, before anything is begun, whether the database can be used; one that is away is looked at when it is there.</summary>
    /// <exception cref="UnsuitableDatabaseException">It can't.</exception>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(FirstLookTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            await DatabaseEncoding.RequireAsync(source, either.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or SnapshotException { Code: SnapshotErrorCode.DatabaseUnavailable })
        {
            // It is away.
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            if (!options.Value.MigrateAtStart)
            {
                // It is somebody else's to see to the schema; whether the database can be used at all is looked at beside the work.
                _ready.SetResult();
            }

            await PrepareAsync(stoppingToken).ConfigureAwait(false);
            _ready.TrySetResult();
        }
        catch (UnsuitableDatabaseException e)
        {
            // Not a failure of this service: it ends as with a wrong configuration, once it has started, for a start that is given up is told as a failure.
            Refusal = e;
            using CancellationTokenRegistration registration = lifetime.ApplicationStarted.Register(lifetime.StopApplication);
            await Task.Delay(Timeout.InfiniteTimeSpan, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task PrepareAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await (options.Value.MigrateAtStart
                    ? migrator.MigrateAsync(stoppingToken)
                    : DatabaseEncoding.RequireAsync(source, stoppingToken)).ConfigureAwait(false);
                return;
            }
            catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
            {
                LogAway(e, RetryDelay.TotalMilliseconds);
                await Task.Delay(RetryDelay, time, stoppingToken).ConfigureAwait(false);
            }
        }
    }

    [LoggerMessage(EventId = 5020, Level = LogLevel.Warning, Message = "The database is away; next try in {DelayMs} ms")]
    private partial void LogAway(Exception exception, double delayMs);
}
