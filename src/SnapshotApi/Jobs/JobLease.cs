using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
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
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
        {
            LogAway(e, run.JobId);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // A defect, here or in the database: the next renewal may succeed.
            LogBroken(e, run.JobId);
        }
    }

    [LoggerMessage(6020, LogLevel.Warning, "The lease of job {JobId} could not be renewed; the run goes on")]
    private partial void LogAway(Exception exception, Guid jobId);

    [LoggerMessage(6021, LogLevel.Error, "The lease of job {JobId} could not be renewed; the run goes on")]
    private partial void LogBroken(Exception exception, Guid jobId);
}
