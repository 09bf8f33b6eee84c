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
        if (kind.Status == StatusCodes.Status500InternalServerError)
        {
            LogFailed(exception, kind.Code);
        }
        else if (kind.Status > StatusCodes.Status500InternalServerError)
        {
            LogUnavailable(kind.Code, exception.Message);
        }
        else
        {
            LogRefused(kind.Code, exception.Message);
        }
    }
}
