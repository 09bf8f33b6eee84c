namespace SnapshotApi.Journal;

internal sealed partial class JobJournal
{
    [LoggerMessage(EventId = 4000, Level = LogLevel.Warning,
        Message = "Could not undo {Action} of job {JobId} on server {ServerId}; it stays in the journal")]
    private partial void LogUndoFailed(Exception exception, string action, Guid jobId, Guid serverId);
}
