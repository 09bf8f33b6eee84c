using System.Transactions;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Jobs;

/// <summary>Brings the outcome of a run into the database: guarded by its fence, in one transaction with what follows from it.</summary>
internal sealed partial class OutcomeDelivery(JobTable jobs, JobEnqueuer enqueuer, TimeProvider time, ILogger<OutcomeDelivery> logger)
{
    // An event that others than the run's reporter write for the run; beyond any number that the reporter gives.
    private const int LastOrdinal = 1_000_000;

    /// <summary>
    /// Delivers an outcome; a job that is to be run again is enqueued with it. Delivering again changes nothing, and an outcome of a run
    /// that has lost its job is dropped.
    /// </summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">database_unavailable: try again later.</exception>
    public async Task DeliverAsync(JobOutcome outcome, CancellationToken cancellationToken)
    {
        if (await TryDeliverAsync(outcome, cancellationToken).ConfigureAwait(false))
        {
            LogDelivered(outcome.JobId, outcome.Status);
            return;
        }

        JobRecord? job = await jobs.FindAsync(outcome.JobId, cancellationToken).ConfigureAwait(false);
        if (job is { Status: JobStatus.Running, CancelRequested: true } && job.Fence == outcome.Fence && outcome.Status == JobStatus.Queued)
        {
            // Its user cancelled it while its service went down: it is not run again.
            await TryDeliverAsync(
                outcome with { Status = JobStatus.Cancelled, Error = RunEnd.OfDeath(job, 0).Error }, cancellationToken).ConfigureAwait(false);
        }
        else if (job?.Fence != outcome.Fence || job.Status != outcome.Status)
        {
            LogDropped(outcome.JobId, outcome.Status, outcome.Fence, job?.Fence);
        }
    }

    /// <summary>Settles a run whose service died, from what its row says: queued again, cancelled or abandoned.</summary>
    /// <param name="jobId">Id of the job.</param>
    /// <param name="fence">Fencing token of the run; another's job is left alone.</param>
    /// <param name="maxAttempts">How often a job may be begun.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">database_unavailable: try again later.</exception>
    public async Task DeliverDeathAsync(Guid jobId, long fence, int maxAttempts, CancellationToken cancellationToken)
    {
        JobRecord? job = await jobs.FindAsync(jobId, cancellationToken).ConfigureAwait(false);
        if (job is not { Status: JobStatus.Running } || job.Fence != fence)
        {
            return;
        }

        RunEnd end = RunEnd.OfDeath(job, maxAttempts);
        DateTimeOffset now = time.GetUtcNow();
        string kind = end.Status == JobStatus.Queued ? "requeued" : "finished";
        var progress = new JobProgress(
            job.Step,
            job.Capture,
            job.CaptureReason,
            job.Disks,
            null,
            job.Consistency,
            job.GuestDowntimeMs,
            job.Downtime,
            job.FreezeMs,
            job.Warnings,
            [new RunEvent(LastOrdinal, now, kind, SnapshotStep.Finished, end.Error.Message, null)])
        {
            FrozenFileSystems = job.FrozenFileSystems,
        };
        LogDied(jobId, end.Status, end.Error.Message);
        await DeliverAsync(
            new JobOutcome
            {
                JobId = jobId,
                Fence = fence,
                Status = end.Status,
                EndedAt = now,
                Error = end.Error,
                Progress = progress,
            },
            cancellationToken).ConfigureAwait(false);
    }

    private async Task<bool> TryDeliverAsync(JobOutcome outcome, CancellationToken cancellationToken)
    {
        if (outcome.Status != JobStatus.Queued)
        {
            return await jobs.DeliverAsync(outcome, cancellationToken).ConfigureAwait(false);
        }

        try
        {
            using TransactionScope transaction = JobEnqueuer.BeginTransaction();
            if (!await jobs.DeliverAsync(outcome, cancellationToken).ConfigureAwait(false))
            {
                return false;
            }

            JobRecord? job = await jobs.FindAsync(outcome.JobId, cancellationToken).ConfigureAwait(false);
            await enqueuer.EnqueueAsync(outcome.JobId, job!.Node, cancellationToken).ConfigureAwait(false);
            transaction.Complete();
            return true;
        }
        catch (TransactionException e)
        {
            throw DatabaseFault.Translate(e);
        }
    }

    [LoggerMessage(EventId = 6030, Level = LogLevel.Information, Message = "Job {JobId} is {Status}")]
    private partial void LogDelivered(Guid jobId, JobStatus status);

    [LoggerMessage(EventId = 6031, Level = LogLevel.Warning,
        Message = "The outcome {Status} of job {JobId} under fence {Fence} was dropped; the job is under fence {CurrentFence}")]
    private partial void LogDropped(Guid jobId, JobStatus status, long fence, long? currentFence);

    [LoggerMessage(EventId = 6032, Level = LogLevel.Warning, Message = "Job {JobId} becomes {Status}: {Reason}")]
    private partial void LogDied(Guid jobId, JobStatus status, string reason);
}
