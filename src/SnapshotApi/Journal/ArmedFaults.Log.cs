namespace SnapshotApi.Journal;

internal sealed partial class ArmedFaults
{
    [LoggerMessage(EventId = 4010, Level = LogLevel.Warning,
        Message = "FAULTS ARE ARMED: this service dies, hangs or fails as ordered in {Directory}. It must not serve anybody")]
    private partial void LogArmed(string directory);

    [LoggerMessage(EventId = 4011, Level = LogLevel.Warning, Message = "Fault at {Instant} of {Name}: {Action}")]
    private partial void LogHit(FaultInstant instant, string name, FaultAction action);

    [LoggerMessage(EventId = 4012, Level = LogLevel.Warning, Message = "Fault at {Instant} of {Name}: going on")]
    private partial void LogResumed(FaultInstant instant, string name);
}
