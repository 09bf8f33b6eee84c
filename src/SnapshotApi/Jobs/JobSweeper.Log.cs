namespace SnapshotApi.Jobs;

internal sealed partial class JobSweeper
{
    [LoggerMessage(EventId = 6070, Level = LogLevel.Warning, Message = "Queued job {JobId} was not delivered; it is enqueued again")]
    private partial void LogLost(Guid jobId);

    [LoggerMessage(EventId = 6071, Level = LogLevel.Debug, Message = "The database is away; sweeping waits")]
    private partial void LogAway(Exception exception);
}
