using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;

namespace SnapshotApi.Persistence;

/// <summary>
/// Migrates the database in the background of the service's start, for as long as it takes to answer: a node must undo what its
/// journals hold also while the database is away.
/// </summary>
internal sealed partial class DatabaseStartup(
    DatabaseMigrator migrator, IOptions<DatabaseOptions> options, TimeProvider time, ILogger<DatabaseStartup> logger) : BackgroundService
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The schema is up to date, as far as it is this service's to see to that.</summary>
    public bool IsReady => _ready.Task.IsCompletedSuccessfully;

    /// <summary>Waits until <see cref="IsReady"/>.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => _ready.Task.WaitAsync(cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (options.Value.MigrateAtStart)
        {
            try
            {
                await migrator.MigrateAsync(stoppingToken).ConfigureAwait(false);
                break;
            }
            catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
            {
                LogAway(e, RetryDelay.TotalMilliseconds);
                await Task.Delay(RetryDelay, time, stoppingToken).ConfigureAwait(false);
            }
        }

        _ready.SetResult();
    }
}
