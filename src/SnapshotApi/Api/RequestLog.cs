using Microsoft.AspNetCore.Diagnostics;
using SnapshotApi.Api.Access;

namespace SnapshotApi.Api;

/// <summary>
/// Logs each request when it is answered: method, route, status, duration and caller. The route is the pattern, so that no user's text gets
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
            string route = RouteOf(context);
            int status = context.Response.StatusCode;
            LogLevel level = LevelOf(route, status);
            long durationMs = (long)time.GetElapsedTime(start).TotalMilliseconds;
            string caller = Caller.NameOf(context.User);
            LogAnswered(level, context.Request.Method, route, status, durationMs, caller);
        }
    }

    // The exception handler forgets the endpoint, but notes it.
    private static string RouteOf(HttpContext context)
    {
        Endpoint? endpoint = context.GetEndpoint() ?? context.Features.Get<IExceptionHandlerFeature>()?.Endpoint;
        string? pattern = (endpoint as RouteEndpoint)?.RoutePattern.RawText;
        return pattern is null ? "(none)" : pattern.Length > 1 ? pattern.TrimEnd('/') : pattern;
    }

    // A probe comes every few seconds for years.
    private static LogLevel LevelOf(string route, int status) =>
        status >= StatusCodes.Status500InternalServerError ? LogLevel.Warning
        : route.StartsWith(HealthPrefix, StringComparison.Ordinal) ? LogLevel.Debug
        : LogLevel.Information;

    [LoggerMessage(EventId = 1000, Message = "{Method} {Route} answered {Status} in {DurationMs} ms to {Caller}")]
    private partial void LogAnswered(LogLevel level, string method, string route, int status, long durationMs, string caller);
}
