using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Jobs;

/// <summary>
/// Runs a claimed job and owns its outcome.
/// <list type="number">
/// <item>The journal is begun.</item>
/// <item>The pipeline runs, while the lease is renewed and progress is written.</item>
/// <item>Its end becomes the outcome.</item>
/// <item>The outcome is journalled, then delivered; the journal is deleted when nothing is left to undo.</item>
/// </list>
/// </summary>
internal sealed partial class JobExecution(
    ISnapshotPipeline pipeline,
    IUndoExecutor executor,
    JobLease lease,
    ProgressWriter writer,
    JournalRecovery recovery,
    OutcomeDelivery delivery,
    NodeDirectories directories,
    IFaultPoint faults,
    TimeProvider time,
    ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger<JobExecution>();

    /// <summary>Runs it to its end, whatever that is; never throws for what happens to the snapshot.</summary>
    /// <exception cref="SnapshotException">database_unavailable, and no journal keeps the outcome.</exception>
    /// <returns>The job is to be run again.</returns>
    public async Task<bool> RunAsync(JobRecord job, SnapshotRun run)
    {
        using IDisposable? scope = _logger.BeginScope(
            new Dictionary<string, object> { ["JobId"] = job.Id, ["ServerId"] = job.ServerId, ["Node"] = job.Node });
        long start = time.GetTimestamp();
        var reporter = new JobReporter(job, time, loggers.CreateLogger<JobReporter>(), faults);

        // Step 1: the journal. Without one nothing is done to a guest.
        JobJournal journal;
        try
        {
            var header = new JournalHeader(job.Id, job.ServerId, job.Attempts, job.Fence);
            journal = JobJournal.Create(
                directories.Journals, header, executor, time, loggers.CreateLogger<JobJournal>(), faults);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SnapshotException)
        {
            await FailAsync(job, e, reporter).ConfigureAwait(false);
            return false;
        }

        // Step 2: the pipeline.
        LogBegan(job.Id, job.Attempts);
        RunEnd? end = await RunPipelineAsync(job, run, journal, reporter).ConfigureAwait(false);
        if (run.Reason == StopReason.LeaseLost)
        {
            // Another run has the job now: nothing of this one is to stay, and it delivers no outcome.
            LogLeaseLost(job.Id, job.Fence);
            await journal.UndoAllAsync().ConfigureAwait(false);
            await recovery.SettleAsync(journal, needsDelivery: false, CancellationToken.None).ConfigureAwait(false);
            return false;
        }

        // Steps 3 and 4: the outcome.
        if (end is not null && journal.HasPending)
        {
            reporter.Warn("not all of it could be undone yet; the node goes on trying");
        }

        JobOutcome outcome = Compose(job, end, reporter);
        var durationMs = (long)time.GetElapsedTime(start).TotalMilliseconds;
        LogEnded(job.Id, outcome.Status, durationMs);
        try
        {
            journal.SetOutcome(outcome);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.NoSpace)
        {
            await FailUnwrittenAsync(job, journal, reporter, e).ConfigureAwait(false);
        }

        await recovery.SettleAsync(journal, needsDelivery: true, CancellationToken.None).ConfigureAwait(false);
        return outcome.Status == JobStatus.Queued;
    }

    /// <summary>Fails a claimed job on a node where no lock or journal can be written: no guest is touched.</summary>
    /// <exception cref="SnapshotException">database_unavailable.</exception>
    public Task FailAsync(JobRecord job, Exception cause) =>
        FailAsync(job, cause, new JobReporter(job, time, loggers.CreateLogger<JobReporter>(), faults));

    private async Task FailAsync(JobRecord job, Exception cause, JobReporter reporter)
    {
        SnapshotException unwritten = Unwritten(job, cause);
        JobOutcome failed = Compose(job, RunEnd.Of(unwritten, StopReason.None, reporter.Step), reporter);
        await delivery.DeliverAsync(failed, CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>An image without a durable outcome could outlive its job: it is deleted, and the job fails.</summary>
    private async Task FailUnwrittenAsync(
        JobRecord job, JobJournal journal, JobReporter reporter, SnapshotException cause)
    {
        SnapshotException unwritten = Unwritten(job, cause);
        await journal.UndoAllAsync().ConfigureAwait(false);
        JobOutcome failed = Compose(job, RunEnd.Of(unwritten, StopReason.None, reporter.Step), reporter);
        try
        {
            await delivery.DeliverAsync(failed, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
        {
            // Once the database is back, the journal without outcome says that the run died: near enough.
            LogStopped(e, job.Id, StopReason.None);
        }
    }

    private SnapshotException Unwritten(JobRecord job, Exception cause)
    {
        var unwritten =
            new SnapshotException(SnapshotErrorCode.NoSpace, "the node's work directory can't be written", cause);
        LogFailed(unwritten, job.Id, unwritten.Code);
        return unwritten;
    }

    /// <returns>Null for a success.</returns>
    private async Task<RunEnd?> RunPipelineAsync(
        JobRecord job, SnapshotRun run, JobJournal journal, JobReporter reporter)
    {
        using var ended = new CancellationTokenSource();
        var bandwidth = new BandwidthLimit(time, job.Request.BandwidthBytesPerSecond);
        run.Bandwidth = bandwidth;
        Task renewing = lease.RunAsync(run, ended.Token);
        Task writing = writer.RunAsync(run, reporter, ended.Token);
        using ITimer? deadline = StartDeadline(job, run);
        try
        {
            var work = new SnapshotWork(job.Id, job.ServerId, job.Attempts, job.Request, bandwidth);
            await pipeline.RunAsync(work, journal, reporter, run.Token).ConfigureAwait(false);
            return null;
        }
        catch (Exception e)
        {
            // The one place that catches everything: whatever it was becomes the job's outcome.
            RunEnd end = RunEnd.Of(e, run.Reason, reporter.Step);
            if (end.Status == JobStatus.Failed)
            {
                LogFailed(e, job.Id, end.Error.Code);
            }
            else
            {
                LogStopped(e, job.Id, run.Reason);
            }

            return end;
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(renewing, writing).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// The deadline counts from the begin of the first run. The fence counts runs, also those that a stop of the
    /// service ended; for the first run nothing has passed yet, whatever the database's clock says.
    /// </summary>
    private ITimer? StartDeadline(JobRecord job, SnapshotRun run)
    {
        if (job.Request.DeadlineSeconds is not { } seconds)
        {
            return null;
        }

        TimeSpan passed = job.Fence > 1 && job.StartedAt is { } started ? time.GetUtcNow() - started : TimeSpan.Zero;
        TimeSpan left = TimeSpan.FromSeconds(seconds) - passed;
        TimeSpan due = left > TimeSpan.Zero ? left : TimeSpan.Zero;
        return time.CreateTimer(_ => run.Stop(StopReason.Deadline), null, due, Timeout.InfiniteTimeSpan);
    }

    private JobOutcome Compose(JobRecord job, RunEnd? end, JobReporter reporter)
    {
        JobStatus status = end?.Status ?? JobStatus.Succeeded;
        JobProgress progress = end switch
        {
            null => reporter.End("finished", "succeeded"),
            { Status: JobStatus.Queued } => reporter.End("requeued", end.Error.Message),
            _ => reporter.End("finished", $"{status.ToSnakeCase()}: {end.Error.Message}"),
        };
        return new JobOutcome
        {
            JobId = job.Id,
            Fence = job.Fence,
            Status = status,
            EndedAt = time.GetUtcNow(),
            Error = end?.Error,
            Progress = progress,
            Images = status == JobStatus.Succeeded ? reporter.Images : [],
            IsStop = status == JobStatus.Queued,
        };
    }

    [LoggerMessage(6060, LogLevel.Information, "Run {Attempt} of job {JobId} begins")]
    private partial void LogBegan(Guid jobId, int attempt);

    [LoggerMessage(6061, LogLevel.Information, "The run of job {JobId} ended as {Status} after {DurationMs} ms")]
    private partial void LogEnded(Guid jobId, JobStatus status, long durationMs);

    [LoggerMessage(6062, LogLevel.Error, "Job {JobId} failed: {Code}")]
    private partial void LogFailed(Exception exception, Guid jobId, SnapshotErrorCode code);

    [LoggerMessage(6063, LogLevel.Information, "The run of job {JobId} was stopped: {Reason}")]
    private partial void LogStopped(Exception exception, Guid jobId, StopReason reason);

    [LoggerMessage(6064, LogLevel.Error,
        "The run of job {JobId} lost its job (fence {Fence}); it wrote nothing of its outcome")]
    private partial void LogLeaseLost(Guid jobId, long fence);
}

/// <summary>How a run that did not succeed ended, in the terms of its job.</summary>
/// <param name="Status">Final status, or queued: to be run again.</param>
/// <param name="Error">Shown to the job's user.</param>
internal sealed record RunEnd(JobStatus Status, JobError Error)
{
    /// <summary>
    /// Says what an exception means. The reason to stop comes first: a libvirt call that fails because the run was
    /// cancelled is a cancellation.
    /// </summary>
    public static RunEnd Of(Exception exception, StopReason reason, SnapshotStep step) => (reason, exception) switch
    {
        (StopReason.User, _) => Cancelled(step),
        (StopReason.Deadline, _) => Failed(SnapshotErrorCode.TimedOut, "the job's deadline passed", step),
        (StopReason.Shutdown, _) => Requeued($"the service stopped in step {step.ToSnakeCase()}", step),
        (_, SnapshotException { Code: SnapshotErrorCode.Cancelled }) => Cancelled(step),
        (_, SnapshotException e) => Failed(e.Code, e.Message, step),
        _ => Failed(SnapshotErrorCode.InternalError, "the service failed unexpectedly; its log has the cause", step),
    };

    /// <summary>Says what becomes of a job whose service died, from what the run last wrote.</summary>
    public static RunEnd OfAbandoned(JobRecord job, int maxAttempts)
    {
        string death = $"the service died in step {job.Step.ToSnakeCase()} of run {job.Attempts}";
        return job.CancelRequested ? Cancelled(job.Step)
            : job.Attempts < maxAttempts ? Requeued(death, job.Step)
            : Failed(SnapshotErrorCode.Abandoned, $"{death}; it is not run again", job.Step);
    }

    private static RunEnd Cancelled(SnapshotStep step) =>
        new(JobStatus.Cancelled, new JobError(SnapshotErrorCode.Cancelled, "cancelled by its user", step));

    private static RunEnd Failed(SnapshotErrorCode code, string message, SnapshotStep step) =>
        new(JobStatus.Failed, new JobError(code, message, step));

    private static RunEnd Requeued(string message, SnapshotStep step) =>
        new(JobStatus.Queued, new JobError(SnapshotErrorCode.Abandoned, message, step));
}
