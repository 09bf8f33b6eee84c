namespace SnapshotApi.Jobs;

internal sealed partial class JournalRecovery
{
    [LoggerMessage(EventId = 6040, Level = LogLevel.Warning,
        Message = "A journal of job {JobId} on server {ServerId} was left by a former process: {Pending} entries to undo, outcome known: {HasOutcome}")]
    private partial void LogFound(Guid jobId, Guid serverId, int pending, bool hasOutcome);

    [LoggerMessage(EventId = 6041, Level = LogLevel.Information, Message = "All that job {JobId} left on server {ServerId} is undone")]
    private partial void LogUndone(Guid jobId, Guid serverId);

    [LoggerMessage(EventId = 6042, Level = LogLevel.Warning, Message = "The outcome of job {JobId} waits for the database")]
    private partial void LogAway(Exception exception, Guid jobId);

    [LoggerMessage(EventId = 6043, Level = LogLevel.Error, Message = "Journal {Path} can't be read; what it holds is not undone")]
    private partial void LogUnreadable(Exception exception, string path);

    [LoggerMessage(EventId = 6044, Level = LogLevel.Error, Message = "The outcome of job {JobId} could not be delivered")]
    private partial void LogUndeliverable(Exception exception, Guid jobId);

    [LoggerMessage(EventId = 6045, Level = LogLevel.Error,
        Message = "{Path} is a copy of a journal with lines that can't be read: what they hold is not undone; take it away when that is done")]
    private partial void LogLinesUnreadable(string path);
}
