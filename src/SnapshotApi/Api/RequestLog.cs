using Microsoft.AspNetCore.Diagnostics;
using Serilog;
using Serilog.AspNetCore;
using Serilog.Events;
using SnapshotApi.Api.Access;

namespace SnapshotApi.Api;

/// <summary>
/// What Serilog's request log says of a request: method, route, status, duration and caller. The route is the pattern,
/// so that no user's text gets in; bodies, queries and headers are never logged.
/// </summary>
internal static class RequestLog
{
    public static void UseRequestLog(this WebApplication app) => app.UseSerilogRequestLogging(options =>
    {
        options.Logger = app.Services.GetRequiredService<Serilog.ILogger>();
        Configure(options);
    });

    public static void Configure(RequestLoggingOptions options)
    {
        options.MessageTemplate = "{Method} {Route} answered {Status} in {DurationMs} ms to {Caller}";
        options.GetMessageTemplateProperties = (context, _, elapsedMs, status) =>
        [
            new LogEventProperty("Method", new ScalarValue(context.Request.Method)),
            new LogEventProperty("Route", new ScalarValue(RouteOf(context))),
            new LogEventProperty("Status", new ScalarValue(status)),
            new LogEventProperty("DurationMs", new ScalarValue((long)elapsedMs)),
            new LogEventProperty("Caller", new ScalarValue(Caller.NameOf(context.User))),
        ];
        options.GetLevel = (context, _, exception) => LevelOf(context, exception);
    }

    // The exception handler removes the endpoint from the request, but remembers it.
    private static string RouteOf(HttpContext context)
    {
        Endpoint? endpoint = context.GetEndpoint() ?? context.Features.Get<IExceptionHandlerFeature>()?.Endpoint;
        string? pattern = (endpoint as RouteEndpoint)?.RoutePattern.RawText;
        return pattern is null ? "(none)" : pattern.Length > 1 ? pattern.TrimEnd('/') : pattern;
    }

    // Clients poll, and probes come every few seconds for years: a read that succeeds is no news.
    private static LogEventLevel LevelOf(HttpContext context, Exception? exception)
    {
        int status = context.Response.StatusCode;
        bool isRead = HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method);
        return exception is not null || status >= StatusCodes.Status500InternalServerError ? LogEventLevel.Warning
            : isRead && status < StatusCodes.Status400BadRequest ? LogEventLevel.Debug
            : LogEventLevel.Information;
    }
}
