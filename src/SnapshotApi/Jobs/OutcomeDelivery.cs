using System.Transactions;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Jobs;

/// <summary>Writes the outcome of a run into the database, guarded by its fence, in one transaction.</summary>
internal sealed partial class OutcomeDelivery(
    JobTable jobs, ImageTable images, JobEnqueuer enqueuer, IEnumerable<IImageStore> stores, TimeProvider time,
    ILogger<OutcomeDelivery> logger)
{
    // Of an event that is not the reporter's; beyond any number that a reporter gives.
    private const int LastOrdinal = 1_000_000;

    /// <summary>
    /// Delivers an outcome; a job that is to be run again is enqueued with it. A second time changes nothing, and the
    /// outcome of a run that has lost its job is dropped, and its images are deleted.
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
        if (job is { Status: JobStatus.Running, CancelRequested: true }
            && job.Fence == outcome.Fence && outcome.Status == JobStatus.Queued)
        {
            // Its user cancelled it while its service went down: it is not run again.
            JobError error = RunEnd.OfAbandoned(job, 0).Error;
            await TryDeliverAsync(outcome with { Status = JobStatus.Cancelled, Error = error }, cancellationToken)
                .ConfigureAwait(false);
        }
        else if (job?.Fence != outcome.Fence || job.Status != outcome.Status)
        {
            LogDropped(outcome.JobId, outcome.Status, outcome.Fence, job?.Fence);

            if (job is not null)
            {
                await DeleteUnlistedAsync(outcome.Images, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Ends a run whose service died, by its row: the job is queued again, cancelled or abandoned.</summary>
    /// <param name="fence">Fencing token of the run; a job with another one is left alone.</param>
    /// <param name="maxAttempts">How often a job may be begun.</param>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">database_unavailable: try again later.</exception>
    public async Task DeliverAbandonedAsync(
        Guid jobId, long fence, int maxAttempts, CancellationToken cancellationToken)
    {
        JobRecord? job = await jobs.FindAsync(jobId, cancellationToken).ConfigureAwait(false);
        if (job is not { Status: JobStatus.Running } || job.Fence != fence)
        {
            return;
        }

        (JobStatus status, JobError error) = RunEnd.OfAbandoned(job, maxAttempts);
        DateTimeOffset now = time.GetUtcNow();
        string kind = status == JobStatus.Queued ? "requeued" : "finished";
        var ended = new RunEvent(LastOrdinal, now, kind, SnapshotStep.Finished, error.Message, null);
        var outcome = new JobOutcome
        {
            JobId = jobId,
            Fence = fence,
            Status = status,
            EndedAt = now,
            Error = error,
            Progress = new JobProgress(
                job.Step, job.Capture, job.CaptureReason, job.Disks, null, job.Consistency, job.GuestDowntimeMs,
                job.Downtime, job.FreezeMs, job.Warnings, [ended])
            {
                FrozenFileSystems = job.FrozenFileSystems,
            },
        };
        LogDied(jobId, status, error.Message);
        await DeliverAsync(outcome, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The job ended without them, as its node was taken for lost: nobody would ever find them.</summary>
    private async Task DeleteUnlistedAsync(IReadOnlyList<ImageRecord> made, CancellationToken cancellationToken)
    {
        foreach (ImageRecord image in made)
        {
            if (await images.FindAsync(image.Image.Id, cancellationToken).ConfigureAwait(false) is null)
            {
                await stores.First(s => s.Name == image.Image.Store)
                    .DeleteAsync(image.Image.Id, cancellationToken).ConfigureAwait(false);
            }
        }
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

    [LoggerMessage(6030, LogLevel.Information, "Job {JobId} is {Status}")]
    private partial void LogDelivered(Guid jobId, JobStatus status);

    [LoggerMessage(6031, LogLevel.Warning,
        "The outcome {Status} of job {JobId} under fence {Fence} was dropped; the job is under fence {CurrentFence}")]
    private partial void LogDropped(Guid jobId, JobStatus status, long fence, long? currentFence);

    [LoggerMessage(6032, LogLevel.Warning, "Job {JobId} becomes {Status}: {Reason}")]
    private partial void LogDied(Guid jobId, JobStatus status, string reason);
}
