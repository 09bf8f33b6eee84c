namespace SnapshotApi.Persistence;

internal sealed partial class DatabaseListener
{
    [LoggerMessage(EventId = 5000, Level = LogLevel.Debug, Message = "Listening for notifications")]
    private partial void LogListening();

    [LoggerMessage(EventId = 5001, Level = LogLevel.Warning,
        Message = "Notifications do not arrive; polling meanwhile, next try in {DelayMs} ms")]
    private partial void LogLost(Exception exception, double delayMs);
}
