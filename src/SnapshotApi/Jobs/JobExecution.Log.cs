using SnapshotApi.Errors;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

internal sealed partial class JobExecution
{
    [LoggerMessage(EventId = 6060, Level = LogLevel.Information, Message = "Run {Attempt} of job {JobId} begins")]
    private partial void LogBegan(Guid jobId, int attempt);

    [LoggerMessage(EventId = 6061, Level = LogLevel.Information, Message = "The run of job {JobId} ended as {Status} after {DurationMs} ms")]
    private partial void LogEnded(Guid jobId, JobStatus status, long durationMs);

    [LoggerMessage(EventId = 6062, Level = LogLevel.Error, Message = "Job {JobId} failed: {Code}")]
    private partial void LogFailed(Exception exception, Guid jobId, SnapshotErrorCode code);

    [LoggerMessage(EventId = 6063, Level = LogLevel.Information, Message = "The run of job {JobId} was stopped: {Reason}")]
    private partial void LogStopped(Exception exception, Guid jobId, StopReason reason);

    [LoggerMessage(EventId = 6064, Level = LogLevel.Error,
        Message = "The run of job {JobId} lost its job (fence {Fence}); it wrote nothing of its outcome")]
    private partial void LogLeaseLost(Guid jobId, long fence);
}
