using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Jobs;

/// <summary>Cancels jobs: one that waits at once, one that runs by asking its worker.</summary>
internal sealed class JobCanceller(JobTable jobs, TimeProvider time)
{
    /// <summary>Cancels a job; asking again changes nothing.</summary>
    /// <returns>The job: cancelled if it was queued or is so already, else running, with the request noted.</returns>
    /// <exception cref="SnapshotException">job_not_found; state_conflict (final); database_unavailable.</exception>
    public async Task<JobRecord> CancelAsync(Guid jobId, CancellationToken cancellationToken)
    {
        // The job may become running, or queued again, between two of these statements: then the next round finds it.
        const string message = "cancelled by its user before it began";
        var error = new JobError(SnapshotErrorCode.Cancelled, message, SnapshotStep.Pending);
        while (true)
        {
            JobRecord? changed = await jobs.CancelQueuedAsync(jobId, error, cancellationToken).ConfigureAwait(false)
                ?? await jobs.RequestCancelAsync(jobId, time.GetUtcNow(), cancellationToken).ConfigureAwait(false);
            if (changed is not null)
            {
                return changed;
            }

            JobRecord? job = await jobs.FindAsync(jobId, cancellationToken).ConfigureAwait(false);
            switch (job)
            {
                case null:
                    throw new SnapshotException(SnapshotErrorCode.JobNotFound, $"there is no job {jobId}");
                case { Status: JobStatus.Running, CancelRequested: true } or { Status: JobStatus.Cancelled }:
                    return job;
                case { IsFinal: true }:
                    throw new SnapshotException(
                        SnapshotErrorCode.StateConflict, $"the job has {job.Status.ToSnakeCase()} already");
                case { Status: not (JobStatus.Queued or JobStatus.Running) }:
                    throw new SnapshotException(
                        SnapshotErrorCode.StateConflict,
                        $"the job is {job.Status.ToSnakeCase()}, which this version of the service does not know");
            }
        }
    }
}
