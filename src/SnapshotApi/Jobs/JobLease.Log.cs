namespace SnapshotApi.Jobs;

internal sealed partial class JobLease
{
    [LoggerMessage(EventId = 6020, Level = LogLevel.Warning, Message = "The lease of job {JobId} could not be renewed; the run goes on")]
    private partial void LogAway(Exception exception, Guid jobId);

    [LoggerMessage(EventId = 6021, Level = LogLevel.Error, Message = "The lease of job {JobId} could not be renewed; the run goes on")]
    private partial void LogBroken(Exception exception, Guid jobId);
}
