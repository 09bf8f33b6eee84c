using SnapshotApi.Errors;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>Changes the bandwidth limit of jobs: of one that waits in its row, of one that runs also by telling its worker.</summary>
internal sealed class JobLimiter(JobTable jobs)
{
    /// <summary>Sets the limit of a job; asking again changes nothing.</summary>
    /// <param name="jobId">Id of the job.</param>
    /// <param name="bytesPerSecond">The limit; null lifts it.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="SnapshotException">job_not_found; state_conflict: it is final; database_unavailable.</exception>
    public async Task<JobRecord> LimitAsync(Guid jobId, long? bytesPerSecond, CancellationToken cancellationToken)
    {
        if (await jobs.LimitAsync(jobId, bytesPerSecond, cancellationToken).ConfigureAwait(false) is { } limited)
        {
            return limited;
        }

        JobRecord? job = await jobs.FindAsync(jobId, cancellationToken).ConfigureAwait(false);
        throw job is null
            ? new SnapshotException(SnapshotErrorCode.JobNotFound, $"there is no job {jobId}")
            : new SnapshotException(SnapshotErrorCode.StateConflict, $"the job has {RowJson.NameOf(job.Status)} already");
    }
}
