using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Writes the progress of a run: at each step, else at most once in <see cref="JobsOptions.ProgressInterval"/>. When a
/// database that was away is back, all that was missed is written.
/// </summary>
internal sealed partial class ProgressWriter(
    JobTable jobs, IOptions<JobsOptions> options, TimeProvider time, ILogger<ProgressWriter> logger)
{
    private static readonly TimeSpan AwayDelay = TimeSpan.FromSeconds(1);

    /// <summary>Writes until cancelled; the outcome holds what is left then.</summary>
    public async Task RunAsync(SnapshotRun run, JobReporter reporter, CancellationToken cancellationToken)
    {
        var wake = new WakeSignal(time);
        reporter.StepBegan += wake.Set;
        try
        {
            while (true)
            {
                if (await TryWriteAsync(run, reporter, cancellationToken).ConfigureAwait(false))
                {
                    await wake.WaitAsync(options.Value.ProgressInterval, cancellationToken).ConfigureAwait(false);
                }
                else
                {
                    await Task.Delay(AwayDelay, time, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The run has ended.
        }
        finally
        {
            reporter.StepBegan -= wake.Set;
        }
    }

    /// <returns>False when the database is away.</returns>
    private async Task<bool> TryWriteAsync(SnapshotRun run, JobReporter reporter, CancellationToken cancellationToken)
    {
        if (reporter.TakeChanges() is not { } progress)
        {
            return true;
        }

        try
        {
            if (await jobs.WriteProgressAsync(run.JobId, run.Fence, progress, cancellationToken).ConfigureAwait(false))
            {
                reporter.Wrote(progress);
            }
            else
            {
                run.Stop(StopReason.LeaseLost);
            }

            return true;
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
        {
            reporter.Missed();
            LogAway(e, run.JobId);
            return false;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // A defect, here or in the database, must not silence the run for the rest of its time.
            reporter.Missed();
            LogBroken(e, run.JobId);
            return false;
        }
    }

    [LoggerMessage(6010, LogLevel.Debug, "Progress of job {JobId} could not be written; the run goes on")]
    private partial void LogAway(Exception exception, Guid jobId);

    [LoggerMessage(6011, LogLevel.Error, "Progress of job {JobId} could not be written; it is tried again")]
    private partial void LogBroken(Exception exception, Guid jobId);
}
