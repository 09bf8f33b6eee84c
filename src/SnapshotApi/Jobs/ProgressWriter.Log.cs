namespace SnapshotApi.Jobs;

internal sealed partial class ProgressWriter
{
    [LoggerMessage(EventId = 6010, Level = LogLevel.Debug, Message = "Progress of job {JobId} could not be written; the run goes on")]
    private partial void LogAway(Exception exception, Guid jobId);

    [LoggerMessage(EventId = 6011, Level = LogLevel.Error, Message = "Progress of job {JobId} could not be written; it is tried again")]
    private partial void LogBroken(Exception exception, Guid jobId);
}
