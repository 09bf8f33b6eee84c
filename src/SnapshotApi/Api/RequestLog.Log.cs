namespace SnapshotApi.Api;

internal sealed partial class RequestLog
{
    [LoggerMessage(EventId = 1000, Message = "{Method} {Route} answered {Status} in {DurationMs} ms to {Caller}")]
    private partial void LogAnswered(LogLevel level, string method, string route, int status, long durationMs, string caller);
}
