namespace SnapshotApi.Api;

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
