using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.WebUtilities;
using SnapshotApi.Contracts;

namespace SnapshotApi.Api;

/// <summary>Pages of lists.</summary>
internal static class Paging
{
    public const int MaxLimit = 200;
    public const int DefaultLimit = 50;

    /// <summary>Answers with a page; the address of the next one is in the body and in the Link header.</summary>
    /// <param name="context">The request.</param>
    /// <param name="rows">The rows of the page, and one more if there is a next page.</param>
    /// <param name="limit">How many rows the page has at most.</param>
    /// <param name="cursorOf">Makes the cursor that follows a row.</param>
    /// <param name="show">Makes the document of a row.</param>
    public static Ok<Page<T>> Answer<TRow, T>(
        HttpContext context, IReadOnlyList<TRow> rows, int limit, Func<TRow, string> cursorOf, Func<TRow, T> show)
    {
        string? next = rows.Count > limit ? AddressOf(context.Request, cursorOf(rows[limit - 1])) : null;
        if (next is not null)
        {
            context.Response.Headers.Link = $"<{next}>; rel=\"next\"";
        }

        return TypedResults.Ok(new Page<T>([.. rows.Take(limit).Select(show)], next));
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
