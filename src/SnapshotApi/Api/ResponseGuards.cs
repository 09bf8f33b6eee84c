using SnapshotApi.Api.Access;

namespace SnapshotApi.Api;

/// <summary>
/// Headers that keep a browser from making more of an answer than it is: what users wrote into JSON is never guessed to be a page, and
/// pages are shown in no frame of another site.
/// </summary>
internal sealed class ResponseGuards(RequestDelegate next)
{
    /// <summary>Serves the request with the headers.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        IHeaderDictionary headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        if (PresentedKey.IsPage(context.Request))
        {
            headers.ContentSecurityPolicy = "frame-ancestors 'none'";
            headers["Referrer-Policy"] = "same-origin";
        }

        return next(context);
    }
}
