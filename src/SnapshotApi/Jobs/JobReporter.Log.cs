using SnapshotApi.Snapshots;

namespace SnapshotApi.Jobs;

internal sealed partial class JobReporter
{
    [LoggerMessage(EventId = 6000, Level = LogLevel.Information, Message = "Step {Step} took {DurationMs} ms; {BytesDone} bytes done")]
    private partial void LogStep(SnapshotStep step, long durationMs, long bytesDone);
}
