namespace SnapshotApi.Jobs;

internal sealed partial class JobServer
{
    [LoggerMessage(EventId = 6110, Level = LogLevel.Debug,
        Message = "No run is at work, but Hangfire's upkeep did not stop within {GraceMs} ms; it is left behind")]
    private partial void LogSlow(double graceMs);
}
