namespace SnapshotApi.Journal;

internal sealed partial class JobJournal
{
    [LoggerMessage(EventId = 4000, Level = LogLevel.Warning,
        Message = "Could not undo {Action} of job {JobId} on server {ServerId}; it stays in the journal")]
    private partial void LogUndoFailed(Exception exception, string action, Guid jobId, Guid serverId);

    [LoggerMessage(EventId = 4001, Level = LogLevel.Warning, Message = "The journal of job {JobId} could not be cut back to its last whole line")]
    private partial void LogNotTruncated(Exception exception, Guid jobId);
}
