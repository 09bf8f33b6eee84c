using Hangfire;
using SnapshotApi.Captures;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Hangfire calls it, at least once per job. The names of this type, its method and its arguments stand in the queue's
/// rows: never change them.
/// <list type="number">
/// <item>Until the node has proved its captures, no job begins.</item>
/// <item>A delivery of a job that is at work here, or final, is a duplicate.</item>
/// <item>While something is left to undo on the server, or to deliver of the job, the job waits.</item>
/// <item>The server's lock on this host is taken.</item>
/// <item>The job is claimed: lease and fence.</item>
/// <item>It is run.</item>
/// </list>
/// </summary>
internal sealed partial class SnapshotJobRunner(
    JobTable jobs,
    LiveRuns live,
    JournalRecovery recovery,
    JobExecution execution,
    NodeDirectories directories,
    CaptureFindings findings,
    IHostApplicationLifetime lifetime,
    IOptions<NodeOptions> node,
    IOptions<JobsOptions> options,
    TimeProvider time,
    ILogger<SnapshotJobRunner> logger)
{
    /// <summary>Runs a job, if it is still to be run.</summary>
    /// <param name="cancellationToken">
    /// Hangfire's own. It does not stop the run: Hangfire cancels it also when it takes the delivery for lost, as after
    /// an absence of the database, and then the lease says whose the job is. The stop of the host stops the run.
    /// </param>
    /// <exception cref="OperationCanceledException">The service stops; Hangfire keeps the delivery.</exception>
    [AutomaticRetry(Attempts = 0)]
    public async Task RunAsync(Guid jobId, CancellationToken cancellationToken)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            await HandBackAsync(cancellationToken).ConfigureAwait(false);
        }

        // Step 1: which captures are safe?
        try
        {
            await findings.WaitAsync(lifetime.ApplicationStopping).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await HandBackAsync(cancellationToken).ConfigureAwait(false);
        }

        // Step 2: a duplicate?
        using SnapshotRun? run = live.TryBegin(jobId);
        JobRecord? job = run is null ? null : await jobs.FindAsync(jobId, CancellationToken.None).ConfigureAwait(false);
        if (run is null || job is null || job.IsFinal || job.Node != node.Value.Name)
        {
            LogDuplicate(jobId);
            return;
        }

        // Step 3: something left to undo?
        if (recovery.HoldsServer(job.ServerId))
        {
            LogTurnedAway(jobId, job.ServerId, "an earlier job left something to undo");
            const string warning = "waits until what an earlier job left on the server is undone";
            await jobs.AddWarningAsync(jobId, warning, CancellationToken.None).ConfigureAwait(false);
            return;
        }

        if (recovery.HoldsJob(jobId))
        {
            // An outcome waits for its delivery and decides what becomes of the job.
            LogDuplicate(jobId);
            return;
        }

        // Step 4: the server's lock. If another process has it the sweeper delivers the job again.
        using FileStream? serverLock = TakeLock(job.ServerId, out Exception? unwritable);
        if (serverLock is null && unwritable is null)
        {
            LogTurnedAway(jobId, job.ServerId, "another process has the server's lock");
            return;
        }

        // Step 5: the claim.
        JobRecord? claimed = await jobs.ClaimAsync(
            jobId, node.Value.Name, options.Value.LeaseDuration, options.Value.MaxAttempts, CancellationToken.None)
            .ConfigureAwait(false);
        if (claimed is null)
        {
            LogDuplicate(jobId);
            return;
        }

        if (unwritable is not null)
        {
            await execution.FailAsync(claimed, unwritable).ConfigureAwait(false);
            return;
        }

        // Step 6: the run.
        run.Fence = claimed.Fence;
        bool isToRunAgain;
        using (lifetime.ApplicationStopping.Register(() => run.Stop(StopReason.Shutdown)))
        {
            isToRunAgain = await execution.RunAsync(claimed, run).ConfigureAwait(false)
                && run.Reason == StopReason.Shutdown;
        }

        if (isToRunAgain)
        {
            await HandBackAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private FileStream? TakeLock(Guid serverId, out Exception? unwritable)
    {
        unwritable = null;
        try
        {
            directories.Make();
            return HostLock.TryTake(directories.ServerLock(serverId));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            unwritable = e;
            return null;
        }
    }

    /// <summary>Throws as Hangfire expects of a job whose server stops: only once its own token is cancelled.</summary>
    private async Task HandBackAsync(CancellationToken cancellationToken) =>
        await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken).ConfigureAwait(false);

    [LoggerMessage(6050, LogLevel.Debug, "Delivery of job {JobId} is a duplicate")]
    private partial void LogDuplicate(Guid jobId);

    [LoggerMessage(6051, LogLevel.Warning, "Job {JobId} on server {ServerId} has to wait: {Reason}")]
    private partial void LogTurnedAway(Guid jobId, Guid serverId, string reason);
}

/// <summary>Changes the bandwidth limit of jobs that wait or run.</summary>
internal sealed class JobLimiter(JobTable jobs)
{
    /// <summary>Sets the limit of a job; null lifts it.</summary>
    /// <exception cref="SnapshotException">job_not_found; state_conflict (final); database_unavailable.</exception>
    public async Task<JobRecord> LimitAsync(Guid jobId, long? bytesPerSecond, CancellationToken cancellationToken)
    {
        if (await jobs.LimitAsync(jobId, bytesPerSecond, cancellationToken).ConfigureAwait(false) is { } limited)
        {
            return limited;
        }

        JobRecord? job = await jobs.FindAsync(jobId, cancellationToken).ConfigureAwait(false);
        throw job is null
            ? new SnapshotException(SnapshotErrorCode.JobNotFound, $"there is no job {jobId}")
            : new SnapshotException(SnapshotErrorCode.StateConflict, $"the job has {job.Status.ToSnakeCase()} already");
    }
}
