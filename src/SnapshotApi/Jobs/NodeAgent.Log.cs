namespace SnapshotApi.Jobs;

internal sealed partial class NodeAgent
{
    [LoggerMessage(EventId = 6100, Level = LogLevel.Information,
        Message = "Node {Node} is clean but for {Problems} problems; it takes jobs when the database answers")]
    private partial void LogRecovered(string node, int problems);
}
