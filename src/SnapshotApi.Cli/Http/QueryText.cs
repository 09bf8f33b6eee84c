namespace SnapshotApi.Cli.Http;

/// <summary>Makes the query of a URL.</summary>
internal static class QueryText
{
    /// <summary><c>?a=1&amp;b=2</c> from the pairs that have a value; empty when none has.</summary>
    public static string Of(params IReadOnlyList<(string Name, string? Value)> pairs)
    {
        string joined = string.Join('&', pairs.Where(p => p.Value is not null).Select(p => $"{p.Name}={Uri.EscapeDataString(p.Value!)}"));
        return joined.Length == 0 ? "" : "?" + joined;
    }
}
