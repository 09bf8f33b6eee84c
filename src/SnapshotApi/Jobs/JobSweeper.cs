using SnapshotApi.Captures;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Looks for jobs of this node that are stuck: runs whose worker died, queued jobs that Hangfire lost or does not
/// deliver though a worker is free.
/// </summary>
internal sealed partial class JobSweeper(
    JobTable jobs,
    LiveRuns live,
    JournalRecovery recovery,
    CaptureFindings findings,
    OutcomeDelivery delivery,
    JobEnqueuer enqueuer,
    IOptions<NodeOptions> node,
    IOptions<JobsOptions> options,
    TimeProvider time,
    ILogger<JobSweeper> logger)
{
    /// <summary>Sweeps until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(options.Value.SweepInterval, time);
        do
        {
            try
            {
                await SweepAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
            {
                LogAway(e);
            }
        }
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Sweeps once.</summary>
    /// <exception cref="SnapshotException">database_unavailable.</exception>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        JobsOptions limits = options.Value;
        string name = node.Value.Name;
        foreach (JobRecord expired in await jobs.FindExpiredAsync(name, cancellationToken).ConfigureAwait(false))
        {
            // A live run that can't renew its lease, or a journal that waits for delivery, ends the job itself.
            if (!live.Contains(expired.Id) && !recovery.HoldsJob(expired.Id))
            {
                await delivery.DeliverAbandonedAsync(expired.Id, expired.Fence, limits.MaxAttempts, cancellationToken)
                    .ConfigureAwait(false);
            }
        }

        // Those that wait for the end of a check are with a worker already.
        IReadOnlyList<WaitingJob> waiting = findings.HoldsJobs
            ? []
            : await jobs.FindWaitingAsync(name, limits.LostAfter, cancellationToken).ConfigureAwait(false);

        // One that waits for an undo is enqueued after it.
        foreach (WaitingJob job in waiting.Where(j => !live.Contains(j.Id) && !recovery.HoldsServer(j.ServerId)))
        {
            if (!job.HasDelivery || HasLongBeenFree())
            {
                LogLost(job.Id);
                await enqueuer.EnqueueAsync(job.Id, name, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>A worker was free for longer than a delivery takes: what still waits will not be delivered.</summary>
    private bool HasLongBeenFree() => live.Count < node.Value.MaxJobs && live.UnchangedFor >= options.Value.LostAfter;

    [LoggerMessage(6070, LogLevel.Warning, "Queued job {JobId} was not delivered; it is enqueued again")]
    private partial void LogLost(Guid jobId);

    [LoggerMessage(6071, LogLevel.Debug, "The database is away; sweeping waits")]
    private partial void LogAway(Exception exception);
}
