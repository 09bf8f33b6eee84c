using System.Text.Json;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli.Http;

/// <summary>Reads lists page by page.</summary>
internal static class Listing
{
    /// <summary>The largest page that the service gives.</summary>
    public const int PageSize = 200;

    /// <summary>Reads all elements.</summary>
    public static Task<IReadOnlyList<JsonElement>> ReadAsync(
        SnapshotClient client, string path, CancellationToken cancellationToken) =>
        ReadAsync(client, path, limit: null, _ => true, cancellationToken);

    /// <summary>
    /// Reads the elements that <paramref name="accept"/> accepts, at most <paramref name="limit"/> (null: all), of the
    /// pages that begin at <paramref name="path"/>.
    /// </summary>
    public static async Task<IReadOnlyList<JsonElement>> ReadAsync(
        SnapshotClient client,
        string path,
        int? limit,
        Func<JsonElement, bool> accept,
        CancellationToken cancellationToken)
    {
        var found = new List<JsonElement>();
        for (string? at = path; at is not null;)
        {
            ServiceAnswer answer = await client.GetAsync(at, cancellationToken).ConfigureAwait(false);
            Page<JsonElement> page = answer.Read(CliJson.Default.PageJsonElement);
            foreach (JsonElement item in (page.Items ?? []).Where(accept))
            {
                found.Add(item);
                if (found.Count == limit)
                {
                    return found;
                }
            }

            // Only the query of the next page's address is used: an answer can't send the client to another place.
            int query = page.Next?.IndexOf('?', StringComparison.Ordinal) ?? -1;
            bool isLast = query < 0 || page.Items is not { Count: > 0 };
            string? next = isLast ? null : path.Split('?')[0] + page.Next![query..];
            at = next == at ? null : next;
        }

        return found;
    }
}

/// <summary>Makes the query of a URL.</summary>
internal static class QueryText
{
    /// <summary><c>?a=1&amp;b=2</c> from the pairs that have a value; empty when none has.</summary>
    public static string Of(params IReadOnlyList<(string Name, string? Value)> pairs)
    {
        string joined = string.Join(
            '&', pairs.Where(p => p.Value is not null).Select(p => $"{p.Name}={Uri.EscapeDataString(p.Value!)}"));
        return joined.Length == 0 ? "" : "?" + joined;
    }
}
