using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

internal sealed partial class OutcomeDelivery
{
    [LoggerMessage(EventId = 6030, Level = LogLevel.Information, Message = "Job {JobId} is {Status}")]
    private partial void LogDelivered(Guid jobId, JobStatus status);

    [LoggerMessage(EventId = 6031, Level = LogLevel.Warning,
        Message = "The outcome {Status} of job {JobId} under fence {Fence} was dropped; the job is under fence {CurrentFence}")]
    private partial void LogDropped(Guid jobId, JobStatus status, long fence, long? currentFence);

    [LoggerMessage(EventId = 6032, Level = LogLevel.Warning, Message = "Job {JobId} becomes {Status}: {Reason}")]
    private partial void LogDied(Guid jobId, JobStatus status, string reason);
}
