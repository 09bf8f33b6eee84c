using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.WebUtilities;
using SnapshotApi.Api.Contracts;

namespace SnapshotApi.Api;

/// <summary>Pages of lists.</summary>
internal static class Paging
{
    public const int MaxLimit = 200;
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

/// <summary>
/// Endpoint metadata: a query parameter of an operation. OpenAPI and <see cref="Validation.QueryFields"/> both read it,
/// so that what is documented is what is accepted.
/// </summary>
/// <param name="Name">Name in the query.</param>
/// <param name="Type">What it is: string, int, Guid or an enum.</param>
/// <param name="Description">What it does, in a sentence.</param>
internal sealed record QueryParameter(string Name, Type Type, string Description)
{
    public int? Minimum { get; init; }

    public int? Maximum { get; init; }

    /// <summary>Its value when it is not given; null: none.</summary>
    public int? Default { get; init; }

    /// <summary>It may be repeated, or hold several values separated by commas.</summary>
    public bool IsList { get; init; }

    public static QueryParameter Cursor { get; } =
        new("cursor", typeof(string), "Where the page begins: taken from the `next` address of the page before.");

    public static QueryParameter Limit { get; } = new("limit", typeof(int), "How many items the page has at most.")
    {
        Minimum = 1,
        Maximum = Paging.MaxLimit,
        Default = Paging.DefaultLimit,
    };
}
