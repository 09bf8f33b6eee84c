using Microsoft.AspNetCore.Diagnostics;
using SnapshotApi.Errors;

namespace SnapshotApi.Api;

/// <summary>
/// Turns what a handler threw into a problem document. What the service itself got wrong is logged with its exception and told
/// without it: no message, type or path of an unexpected exception reaches the client.
/// </summary>
internal sealed partial class ProblemExceptionHandler(ILogger<ProblemExceptionHandler> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        ProblemKind kind = ProblemMapping.OfException(exception);
        Log(kind, exception);
        await ProblemWriter.WriteAsync(httpContext, kind, DetailOf(exception), DetailsOf(exception)).ConfigureAwait(false);
        return true;
    }

    private static string DetailOf(Exception exception) => exception switch
    {
        SnapshotException { Code: not SnapshotErrorCode.InternalError } or RequestRejectedException => exception.Message,
        BadHttpRequestException => "the request is not valid HTTP",
        _ => "something unexpected happened; the log has it under the traceId",
    };

    private static IReadOnlyDictionary<string, object?>? DetailsOf(Exception exception) => (exception as SnapshotException)?.Details;

    private void Log(ProblemKind kind, Exception exception)
    {
        if (kind is { Status: >= StatusCodes.Status500InternalServerError, RetryAfterSeconds: null })
        {
            LogFailed(exception, kind.Code);
        }
        else if (kind.Status >= StatusCodes.Status500InternalServerError)
        {
            LogUnavailable(kind.Code, exception.Message);
        }
        else
        {
            LogRefused(kind.Code, exception.Message);
        }
    }

    [LoggerMessage(1001, LogLevel.Error, "Request failed: {Code}")]
    private partial void LogFailed(Exception exception, string code);

    [LoggerMessage(1002, LogLevel.Warning, "Request can't be served now: {Code}: {Reason}")]
    private partial void LogUnavailable(string code, string reason);

    [LoggerMessage(1003, LogLevel.Debug, "Request refused: {Code}: {Reason}")]
    private partial void LogRefused(string code, string reason);
}

/// <summary>A request that HTTP's own rules refuse: its body is too large, or of the wrong type.</summary>
/// <param name="kind">What to answer.</param>
/// <param name="message">A fact for the API's user.</param>
internal sealed class RequestRejectedException(ProblemKind kind, string message) : Exception(message)
{
    /// <summary>What to answer.</summary>
    public ProblemKind Kind { get; } = kind;
}

/// <summary>
/// Gives a problem document to answers that routing or a result left without a body. Unlike ASP.NET's own status code pages also
/// to a range that can't be satisfied, which comes with a length of 0.
/// </summary>
internal sealed class StatusCodeProblems(RequestDelegate next)
{
    /// <summary>Serves the request and looks at what came of it.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        await next(context).ConfigureAwait(false);
        HttpResponse response = context.Response;
        bool isBare = !response.HasStarted && response.ContentLength is null or 0;
        if (isBare && response.StatusCode >= StatusCodes.Status400BadRequest)
        {
            (response.ContentLength, response.Headers.ContentDisposition) = (null, default);
            await ProblemWriter.WriteAsync(context, ProblemMapping.OfStatus(response.StatusCode), DetailOf(context)).ConfigureAwait(false);
        }
    }

    private static string DetailOf(HttpContext context) => context.Response.StatusCode switch
    {
        StatusCodes.Status403Forbidden => "as long as nobody is asked who he is, this is for browsers on the service's own host",
        StatusCodes.Status404NotFound => "nothing is at this address; /swagger lists all there is",
        StatusCodes.Status405MethodNotAllowed => $"this address takes {context.Response.Headers.Allow}",
        StatusCodes.Status406NotAcceptable => "the answer is application/json",
        StatusCodes.Status415UnsupportedMediaType => "the body must be application/json",
        StatusCodes.Status416RangeNotSatisfiable => "the range lies outside of the file",
        int status => $"the service answered with status {status}",
    };
}
