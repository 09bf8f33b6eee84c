namespace SnapshotApi.Persistence;

internal sealed partial class DatabaseMigrator
{
    [LoggerMessage(EventId = 5010, Level = LogLevel.Information, Message = "Database is up to date; {Applied} migrations were applied")]
    private partial void LogMigrated(int applied);

    [LoggerMessage(EventId = 5011, Message = "Migration: {Text}")]
    private static partial void LogScript(ILogger logger, LogLevel level, Exception? exception, string text);
}
