namespace SnapshotApi.Jobs;

internal sealed partial class NodeAgent
{
    [LoggerMessage(EventId = 6100, Level = LogLevel.Information,
        Message = "Node {Node} is clean but for {Problems} problems; it takes jobs when the database answers")]
    private partial void LogRecovered(string node, int problems);

    [LoggerMessage(EventId = 6101, Level = LogLevel.Error, Message = "The node's {Loop} broke; it begins again in {DelayMs} ms")]
    private partial void LogBroken(Exception exception, string loop, double delayMs);
}
