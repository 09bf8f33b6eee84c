using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;
using SnapshotApi.Api.Validation;

namespace SnapshotApi.Api;

/// <summary>
/// Refuses what would else be ignored in silence: a client that accepts no JSON, and query parameters of an operation that has
/// none. Operations that have some check them themselves, together with their values.
/// </summary>
internal sealed class StrictRequestFilter : IEndpointFilter
{
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        HttpContext http = context.HttpContext;
        if (!AcceptsJson(http.Request))
        {
            return ValueTask.FromResult<object?>(TypedResults.StatusCode(StatusCodes.Status406NotAcceptable));
        }

        if (http.GetEndpoint()?.Metadata.GetMetadata<QueryParameter>() is null)
        {
            new QueryFields(http).ThrowIfWrong();
        }

        return next(context);
    }

    private static bool AcceptsJson(HttpRequest request)
    {
        IList<MediaTypeHeaderValue> accept = new RequestHeaders(request.Headers).Accept;
        return accept.Count == 0 || accept.Any(a => a.Quality != 0 && Json.IsSubsetOf(new MediaTypeHeaderValue(a.MediaType)));
    }
}
