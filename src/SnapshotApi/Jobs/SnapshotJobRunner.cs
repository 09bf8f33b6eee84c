using Hangfire;

namespace SnapshotApi.Jobs;

/// <summary>What Hangfire calls. Its name, and its method's, stand in the queue's rows: never rename them.</summary>
internal sealed class SnapshotJobRunner(Persistence.JobTable jobs)
{
    /// <summary>Runs a job, if it is still to be run.</summary>
    [AutomaticRetry(Attempts = 0)]
    public Task RunAsync(Guid jobId, CancellationToken cancellationToken) => jobs.FindAsync(jobId, cancellationToken);
}
