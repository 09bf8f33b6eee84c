using Npgsql;

namespace SnapshotApi.Persistence;

/// <summary>
/// Migrates the database beside the start of the service, however long it takes to answer: a node must undo what its
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
    // A database that is there answers in milliseconds; one that is away must not delay what a node has to undo.
    private static readonly TimeSpan FirstLookTimeout = TimeSpan.FromSeconds(3);

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The schema is up to date, as far as this service is responsible for it.</summary>
    public bool IsReady => _ready.Task.IsCompletedSuccessfully;

    /// <summary>Why the service can't run on this database; null: it can, or that is not known yet.</summary>
    public SetupException? Refusal { get; private set; }

    /// <summary>Why it is not prepared yet, with the cure; null: it is, or nothing is known yet.</summary>
    public string? Problem { get; private set; }

    /// <summary>Waits until <see cref="IsReady"/>.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => _ready.Task.WaitAsync(cancellationToken);

    /// <summary>Checks the database before anything is begun; one that is away is checked later.</summary>
    /// <exception cref="SetupException">It can't be used.</exception>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(FirstLookTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            await DatabaseNeeds.RequireAsync(source, either.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException
            or SnapshotException { Code: SnapshotErrorCode.DatabaseUnavailable })
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
                // Somebody else migrates; whether the database can be used at all is checked beside the work.
                _ready.SetResult();
            }

            await RetryPolicies.DatabaseAtStart(time, (e, delay) =>
                {
                    // Once for each reason: it is asked every two seconds.
                    LogAway(e.Message == Problem ? LogLevel.Debug : LogLevel.Warning, e, delay.TotalMilliseconds);
                    Problem = e.Message;
                })
                .RunUntilStoppedAsync(PrepareAsync, stoppingToken).ConfigureAwait(false);
            Problem = null;
            _ready.TrySetResult();
        }
        catch (SetupException e)
        {
            // It ends as with a wrong configuration, but after its start: one that is given up is logged as a failure.
            Refusal = e;
            using CancellationTokenRegistration registration =
                lifetime.ApplicationStarted.Register(lifetime.StopApplication);
            await Task.Delay(Timeout.InfiniteTimeSpan, time, stoppingToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async ValueTask PrepareAsync(CancellationToken cancellationToken) => await (options.Value.MigrateAtStart
        ? migrator.MigrateAsync(cancellationToken)
        : DatabaseNeeds.RequireAsync(source, cancellationToken)).ConfigureAwait(false);

    [LoggerMessage(EventId = 5020, Message = "The database can't be used; it is tried again every {DelayMs} ms")]
    private partial void LogAway(LogLevel level, Exception exception, double delayMs);
}
