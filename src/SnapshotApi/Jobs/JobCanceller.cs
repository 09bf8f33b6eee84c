using SnapshotApi.Errors;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Jobs;

/// <summary>Cancels jobs: one that waits at once, one that runs by asking its worker.</summary>
internal sealed class JobCanceller(JobTable jobs, TimeProvider time)
{
    /// <summary>Cancels a job; asking again changes nothing.</summary>
    /// <returns>The job: final if it was queued, else still running with the request noted.</returns>
    /// <exception cref="SnapshotException">job_not_found; state_conflict: it is final already; database_unavailable.</exception>
    public async Task<JobRecord> CancelAsync(Guid jobId, CancellationToken cancellationToken)
    {
        // The job may move from queued to running, or back, between two of these: then the next round finds it there.
        while (true)
        {
            var error = new JobError(SnapshotErrorCode.Cancelled, "cancelled by its user before it began", SnapshotStep.Pending);
            if (await jobs.CancelQueuedAsync(jobId, error, cancellationToken).ConfigureAwait(false) is { } cancelled)
            {
                return cancelled;
            }

            if (await jobs.RequestCancelAsync(jobId, time.GetUtcNow(), cancellationToken).ConfigureAwait(false) is { } asked)
            {
                return asked;
            }

            JobRecord? job = await jobs.FindAsync(jobId, cancellationToken).ConfigureAwait(false);
            switch (job)
            {
                case null:
                    throw new SnapshotException(SnapshotErrorCode.JobNotFound, $"there is no job {jobId}");
                case { Status: JobStatus.Running, CancelRequested: true }:
                    return job;
                case { IsFinal: true }:
                    throw new SnapshotException(
                        SnapshotErrorCode.StateConflict, $"the job has {job.Status.ToSnakeCase()} already");
            }
        }
    }
}
