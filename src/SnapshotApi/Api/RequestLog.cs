namespace SnapshotApi.Api;

/// <summary>
/// Logs each request when it is answered: method, route, status and duration. The route is the pattern, so that no user's text gets
/// in; bodies, queries and headers are never logged.
/// </summary>
internal sealed partial class RequestLog(RequestDelegate next, TimeProvider time, ILogger<RequestLog> logger)
{
    private const string HealthPrefix = "/health";

    /// <summary>Serves the request and logs it.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        long start = time.GetTimestamp();
        try
        {
            await next(context).ConfigureAwait(false);
        }
        finally
        {
            string route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "(none)";
            int status = context.Response.StatusCode;
            LogLevel level = LevelOf(route, status);
            long durationMs = (long)time.GetElapsedTime(start).TotalMilliseconds;
            LogAnswered(level, context.Request.Method, route, status, durationMs);
        }
    }

    // A probe comes every few seconds for years.
    private static LogLevel LevelOf(string route, int status) =>
        status >= StatusCodes.Status500InternalServerError ? LogLevel.Warning
        : route.StartsWith(HealthPrefix, StringComparison.Ordinal) ? LogLevel.Debug
        : LogLevel.Information;
}
