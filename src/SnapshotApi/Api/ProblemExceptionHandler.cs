using Microsoft.AspNetCore.Diagnostics;

namespace SnapshotApi.Api;

/// <summary>
/// Turns exceptions into problem documents. Of an unexpected exception no message, type or path reaches the client; the
/// log has them.
/// </summary>
internal sealed partial class ProblemExceptionHandler(ILogger<ProblemExceptionHandler> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(
        HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        ProblemKind kind = ProblemMapping.OfException(exception);
        Log(kind, exception);
        IReadOnlyDictionary<string, object?>? details = (exception as SnapshotException)?.Details;
        await ProblemWriter.WriteAsync(httpContext, kind, DetailOf(exception), details).ConfigureAwait(false);
        return true;
    }

    private static string DetailOf(Exception exception) => exception switch
    {
        SnapshotException { Code: not SnapshotErrorCode.InternalError } => exception.Message,
        RequestRejectedException => exception.Message,
        BadHttpRequestException => "the request is not valid HTTP",
        _ => "something unexpected happened; the log has it under the traceId",
    };

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

/// <summary>A request that is refused with a problem of its own, for example because its body is too large.</summary>
/// <param name="message">A fact for the API's user.</param>
internal sealed class RequestRejectedException(ProblemKind kind, string message) : Exception(message)
{
    public ProblemKind Kind { get; } = kind;
}

/// <summary>Registration of problem documents: exceptions and answers without a body become one.</summary>
internal static class ProblemSetup
{
    /// <summary>Adds the writer of problem documents, also for the framework's own.</summary>
    public static IServiceCollection AddProblems(this IServiceCollection services) => services
        .AddSingleton<IProblemDetailsWriter, ProblemWriter>()
        .AddProblemDetails()
        .AddExceptionHandler<ProblemExceptionHandler>();

    public static void UseProblems(this WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.Use(async (context, next) =>
        {
            await next(context).ConfigureAwait(false);

            // The refusal of a range has the file's type and a length of 0, which status code pages take for a body.
            HttpResponse response = context.Response;
            if (response is { StatusCode: StatusCodes.Status416RangeNotSatisfiable, HasStarted: false })
            {
                (response.ContentType, response.ContentLength) = (null, null);
                response.Headers.ContentDisposition = default;
            }
        });
    }
}
