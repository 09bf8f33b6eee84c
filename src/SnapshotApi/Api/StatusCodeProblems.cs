using Microsoft.AspNetCore.Diagnostics;

namespace SnapshotApi.Api;

/// <summary>Gives a problem document to answers that routing or a middleware left without a body.</summary>
internal static class StatusCodeProblems
{
    /// <summary>Writes the document of the status that the answer has.</summary>
    public static Task WriteAsync(StatusCodeContext statusCode)
    {
        HttpContext context = statusCode.HttpContext;
        return ProblemWriter.WriteAsync(context, ProblemMapping.OfStatus(context.Response.StatusCode), DetailOf(context));
    }

    private static string DetailOf(HttpContext context) => context.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound => "nothing is at this address; /swagger lists all there is",
        StatusCodes.Status405MethodNotAllowed => $"this address takes {context.Response.Headers.Allow}",
        StatusCodes.Status406NotAcceptable => "the answer is application/json",
        StatusCodes.Status415UnsupportedMediaType => "the body must be application/json",
        StatusCodes.Status416RangeNotSatisfiable => "the range lies outside of the file",
        int status => $"the service answered with status {status}",
    };
}
