namespace SnapshotApi.Persistence;

internal sealed partial class DatabaseStartup
{
    [LoggerMessage(EventId = 5020, Level = LogLevel.Warning, Message = "The database is away; next try in {DelayMs} ms")]
    private partial void LogAway(Exception exception, double delayMs);
}
