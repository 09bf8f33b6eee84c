using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Deletes what is older than its retention, in small batches. Every process that serves the API does it; they take
/// turns, so that a fleet does the work once.
/// </summary>
internal sealed partial class FleetUpkeep(
    UpkeepTable upkeep, DatabaseStartup database, IOptions<JobsOptions> options, TimeProvider time,
    ILogger<FleetUpkeep> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    // The oldest jobs may all have images, and each look passes them.
    private const int LooksPerJobLook = 60;

    // Other work comes between two batches.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private int _looks;

    /// <summary>Deletes all that is due.</summary>
    /// <returns>How many rows.</returns>
    /// <exception cref="SnapshotException">database_unavailable.</exception>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        JobsOptions limits = options.Value;
        int rows = await EmptyAsync(upkeep.DeleteKeysAsync, limits.IdempotencyRetention, cancellationToken)
            .ConfigureAwait(false);
        rows += await EmptyAsync(upkeep.DeleteEventsAsync, limits.EventRetention, cancellationToken)
            .ConfigureAwait(false);
        if (_looks++ % LooksPerJobLook == 0)
        {
            rows += await EmptyAsync(upkeep.DeleteJobsAsync, limits.Retention, cancellationToken)
                .ConfigureAwait(false);
            rows += await EmptyAsync(upkeep.ExpireDeliveriesAsync, limits.EventRetention, cancellationToken)
                .ConfigureAwait(false);
        }

        return rows;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await database.WaitAsync(stoppingToken).ConfigureAwait(false);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                if (await RunOnceAsync(stoppingToken).ConfigureAwait(false) is > 0 and var rows)
                {
                    LogDeleted(rows);
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Whatever it is, the next look tries again, and what is never deleted is told each time.
                LogFailed(e, Interval.TotalSeconds);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
    }

    private async Task<int> EmptyAsync(
        Func<TimeSpan, CancellationToken, Task<UpkeepBatch>> batch, TimeSpan retention,
        CancellationToken cancellationToken)
    {
        int rows = 0;
        while (true)
        {
            UpkeepBatch done = await batch(retention, cancellationToken).ConfigureAwait(false);
            rows += done.Rows;
            if (done.IsLast)
            {
                return rows;
            }

            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    [LoggerMessage(6300, LogLevel.Information, "{Rows} rows that were too old are deleted")]
    private partial void LogDeleted(int rows);

    [LoggerMessage(6301, LogLevel.Warning, "What is too old could not be deleted; next try in {Seconds} s")]
    private partial void LogFailed(Exception exception, double seconds);
}
