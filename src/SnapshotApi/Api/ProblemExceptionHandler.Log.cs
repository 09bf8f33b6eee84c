namespace SnapshotApi.Api;

internal sealed partial class ProblemExceptionHandler
{
    [LoggerMessage(1001, LogLevel.Error, "Request failed: {Code}")]
    private partial void LogFailed(Exception exception, string code);

    [LoggerMessage(1002, LogLevel.Warning, "Request can't be served now: {Code}: {Reason}")]
    private partial void LogUnavailable(string code, string reason);

    [LoggerMessage(1003, LogLevel.Debug, "Request refused: {Code}: {Reason}")]
    private partial void LogRefused(string code, string reason);
}
