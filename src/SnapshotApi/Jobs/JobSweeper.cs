using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Looks, now and then, for jobs of this node that nobody sees to: runs whose worker died, queued jobs that Hangfire lost, or does not
/// bring though a worker is free. And throws away what is too old.
/// </summary>
internal sealed partial class JobSweeper(
    JobTable jobs,
    IdempotencyTable keys,
    LiveRuns live,
    JournalRecovery recovery,
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
        foreach (JobRecord dead in await jobs.FindDeadAsync(node.Value.Name, cancellationToken).ConfigureAwait(false))
        {
            // A run that could not renew its lease, or a journal that waits to be delivered, sees to the job itself.
            if (!live.Contains(dead.Id) && !recovery.HoldsJob(dead.Id))
            {
                await delivery.DeliverDeathAsync(dead.Id, dead.Fence, options.Value.MaxAttempts, cancellationToken).ConfigureAwait(false);
            }
        }

        IReadOnlyList<WaitingJob> waiting =
            await jobs.FindWaitingAsync(node.Value.Name, options.Value.LostAfter, cancellationToken).ConfigureAwait(false);

        // One that waits until something is undone is enqueued when it is.
        foreach (WaitingJob job in waiting.Where(j => !live.Contains(j.Id) && !recovery.HoldsServer(j.ServerId)))
        {
            if (job.Delivery is null || HasLongBeenFree() || !enqueuer.IsPending(job.Delivery))
            {
                LogLost(job.Id);
                await enqueuer.EnqueueAsync(job.Id, node.Value.Name, cancellationToken).ConfigureAwait(false);
            }
        }

        await keys.DeleteOldAsync(options.Value.IdempotencyRetention, cancellationToken).ConfigureAwait(false);
        await jobs.DeleteOldEventsAsync(options.Value.EventRetention, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>For as long as a delivery may take, a worker has had nothing to do: what waits all the same will not be brought.</summary>
    private bool HasLongBeenFree() => live.Count < node.Value.MaxJobs && live.UnchangedFor >= options.Value.LostAfter;

    [LoggerMessage(EventId = 6070, Level = LogLevel.Warning, Message = "Queued job {JobId} was not delivered; it is enqueued again")]
    private partial void LogLost(Guid jobId);

    [LoggerMessage(EventId = 6071, Level = LogLevel.Debug, Message = "The database is away; sweeping waits")]
    private partial void LogAway(Exception exception);
}
