namespace SnapshotApi.Jobs;

internal sealed partial class SnapshotJobRunner
{
    [LoggerMessage(EventId = 6050, Level = LogLevel.Debug, Message = "Delivery of job {JobId} is a duplicate")]
    private partial void LogDuplicate(Guid jobId);

    [LoggerMessage(EventId = 6051, Level = LogLevel.Warning, Message = "Job {JobId} on server {ServerId} has to wait: {Reason}")]
    private partial void LogTurnedAway(Guid jobId, Guid serverId, string reason);
}
