namespace SnapshotApi.Jobs;

internal sealed partial class NodeHeartbeat
{
    [LoggerMessage(EventId = 6080, Level = LogLevel.Warning, Message = "The node's sign of life could not be published")]
    private partial void LogAway(Exception exception);

    [LoggerMessage(EventId = 6081, Level = LogLevel.Warning, Message = "libvirt does not answer")]
    private partial void LogHypervisor(Exception exception);
}
