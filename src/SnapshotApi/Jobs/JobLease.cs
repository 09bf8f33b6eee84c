using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Renews the lease of a run and learns by it whether its user cancels or limits it, and whether the job is still this run's. While the
/// database is away the run goes on: nobody else can take the job then, and on this host the server's lock file keeps others off.
/// </summary>
internal sealed partial class JobLease(JobTable jobs, IOptions<JobsOptions> options, TimeProvider time, ILogger<JobLease> logger)
{
    // A lease that can be renewed twice more after a failure.
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
                await wake.WaitAsync(options.Value.LeaseDuration / RenewalsPerLease, cancellationToken).ConfigureAwait(false);
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
            JobControl? wishes = await jobs.RenewLeaseAsync(
                run.JobId, run.Fence, options.Value.LeaseDuration, cancellationToken).ConfigureAwait(false);
            if (wishes is null)
            {
                run.Stop(StopReason.LeaseLost);
            }
            else if (wishes.CancelRequested)
            {
                run.Stop(StopReason.User);
            }
            else if (run.Bandwidth is { } bandwidth)
            {
                bandwidth.BytesPerSecond = wishes.BandwidthBytesPerSecond;
            }
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
        {
            LogAway(e, run.JobId);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // A defect, here or in the database: the next renewal may do.
            LogBroken(e, run.JobId);
        }
    }

    [LoggerMessage(EventId = 6020, Level = LogLevel.Warning, Message = "The lease of job {JobId} could not be renewed; the run goes on")]
    private partial void LogAway(Exception exception, Guid jobId);

    [LoggerMessage(EventId = 6021, Level = LogLevel.Error, Message = "The lease of job {JobId} could not be renewed; the run goes on")]
    private partial void LogBroken(Exception exception, Guid jobId);
}
