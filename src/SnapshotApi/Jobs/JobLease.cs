using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Renews the lease of a run, and learns so whether its user cancels or limits it, and whether the job is still this
/// run's. While the database is away the run goes on: nobody can claim the job then, and the server's lock file keeps
/// other runs on this host off.
/// </summary>
internal sealed partial class JobLease(
    JobTable jobs, IOptions<JobsOptions> options, TimeProvider time, ILogger<JobLease> logger)
{
    // After a failure the lease can be renewed twice more.
    private const int RenewalsPerLease = 3;

    /// <summary>Renews until cancelled.</summary>
    public async Task RunAsync(SnapshotRun run, CancellationToken cancellationToken)
    {
        var wake = new WakeSignal(time);
        run.RenewNow += wake.Set;
        try
        {
            while (true)
            {
                await wake.WaitAsync(options.Value.LeaseDuration / RenewalsPerLease, cancellationToken)
                    .ConfigureAwait(false);
                await RenewAsync(run, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The run has ended.
        }
        finally
        {
            run.RenewNow -= wake.Set;
        }
    }

    private async Task RenewAsync(SnapshotRun run, CancellationToken cancellationToken)
    {
        try
        {
            JobControl? control = await jobs.RenewLeaseAsync(
                run.JobId, run.Fence, options.Value.LeaseDuration, cancellationToken).ConfigureAwait(false);
            if (control is null)
            {
                run.Stop(StopReason.LeaseLost);
            }
            else if (control.CancelRequested)
            {
                run.Stop(StopReason.User);
            }
            else if (run.Bandwidth is { } bandwidth)
            {
                bandwidth.BytesPerSecond = control.BandwidthBytesPerSecond;
            }
        }
        catch (Exception e) when (IsAway(e) || !cancellationToken.IsCancellationRequested)
        {
            // Also after a defect, here or in the database, the next renewal may succeed.
            LogNotRenewed(IsAway(e) ? LogLevel.Warning : LogLevel.Error, e, run.JobId);
        }
    }

    private static bool IsAway(Exception e) => e is SnapshotException { Code: SnapshotErrorCode.DatabaseUnavailable };

    [LoggerMessage(EventId = 6020, Message = "The lease of job {JobId} could not be renewed; the run goes on")]
    private partial void LogNotRenewed(LogLevel level, Exception exception, Guid jobId);
}
