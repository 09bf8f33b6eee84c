using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.WebUtilities;
using SnapshotApi.Api.Contracts;

namespace SnapshotApi.Api;

/// <summary>Pages of lists.</summary>
internal static class Paging
{
    /// <summary>Most items of a page.</summary>
    public const int MaxLimit = 200;

    /// <summary>Items of a page when the client does not say.</summary>
    public const int DefaultLimit = 50;

    /// <summary>Answers with a page; the address of the next one is in the body and in the Link header.</summary>
    /// <param name="context">The request.</param>
    /// <param name="items">What is on the page.</param>
    /// <param name="next">Cursor of the next page; null when this is the last.</param>
    public static Ok<Page<T>> Answer<T>(HttpContext context, IReadOnlyList<T> items, string? next)
    {
        string? address = next is null ? null : AddressOf(context.Request, next);
        if (address is not null)
        {
            context.Response.Headers.Link = $"<{address}>; rel=\"next\"";
        }

        return TypedResults.Ok(new Page<T>(items, address));
    }

    private static string AddressOf(HttpRequest request, string cursor)
    {
        IEnumerable<KeyValuePair<string, string?>> query = request.Query
            .Where(p => p.Key != "cursor")
            .SelectMany(p => p.Value, (p, value) => KeyValuePair.Create(p.Key, value))
            .Append(KeyValuePair.Create("cursor", (string?)cursor));
        return QueryHelpers.AddQueryString(request.PathBase.Add(request.Path).ToUriComponent(), query);
    }
}
