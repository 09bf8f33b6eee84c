using SnapshotApi.Errors;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Jobs;

/// <summary>How a run that did not succeed ended, in the terms of its job.</summary>
/// <param name="Status">Final status, or queued: to be run again.</param>
/// <param name="Error">Why; shown to the job's user.</param>
internal sealed record RunEnd(JobStatus Status, JobError Error)
{
    /// <summary>
    /// Says what an exception means. Who stopped the run decides: a libvirt call that fails because the run was cancelled under it
    /// is a cancellation.
    /// </summary>
    /// <param name="exception">What the pipeline threw.</param>
    /// <param name="reason">Why the run was stopped, if it was.</param>
    /// <param name="step">Step in which it happened.</param>
    public static RunEnd Of(Exception exception, StopReason reason, SnapshotStep step)
    {
        return (reason, exception) switch
        {
            (StopReason.User, _) => Cancelled(step),
            (StopReason.Deadline, _) => new RunEnd(
                JobStatus.Failed, new JobError(SnapshotErrorCode.TimedOut, "the job's deadline passed", step)),
            (StopReason.Shutdown, _) => new RunEnd(
                JobStatus.Queued, new JobError(SnapshotErrorCode.Abandoned, $"the service stopped in step {RowJson.NameOf(step)}", step)),
            (_, SnapshotException { Code: SnapshotErrorCode.Cancelled }) => Cancelled(step),
            (_, SnapshotException e) => new RunEnd(JobStatus.Failed, new JobError(e.Code, e.Message, step)),
            _ => new RunEnd(
                JobStatus.Failed,
                new JobError(SnapshotErrorCode.InternalError, "the service failed unexpectedly; its log has the cause", step)),
        };
    }

    /// <summary>Says what becomes of a job whose service died under it.</summary>
    /// <param name="job">The job, as the run last wrote it.</param>
    /// <param name="maxAttempts">How often it may be begun.</param>
    public static RunEnd OfDeath(JobRecord job, int maxAttempts)
    {
        string death = $"the service died in step {RowJson.NameOf(job.Step)} of run {job.Attempts}";
        return job.CancelRequested ? Cancelled(job.Step)
            : job.Attempts < maxAttempts
                ? new RunEnd(JobStatus.Queued, new JobError(SnapshotErrorCode.Abandoned, death, job.Step))
                : new RunEnd(JobStatus.Failed, new JobError(SnapshotErrorCode.Abandoned, $"{death}; it is not run again", job.Step));
    }

    private static RunEnd Cancelled(SnapshotStep step) =>
        new(JobStatus.Cancelled, new JobError(SnapshotErrorCode.Cancelled, "cancelled by its user", step));
}
