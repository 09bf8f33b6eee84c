namespace SnapshotApi.Jobs;

internal sealed partial class InventoryPublisher
{
    [LoggerMessage(EventId = 6090, Level = LogLevel.Debug, Message = "The inventory could not be published: the database is away")]
    private partial void LogAway(Exception exception);

    [LoggerMessage(EventId = 6091, Message = "The inventory could not be read")]
    private partial void LogHypervisor(LogLevel level, Exception exception);
}
