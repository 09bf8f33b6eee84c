using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace SnapshotApi.Stores.Glance;

/// <summary>What a server said of an error, fit to be shown to a user: a line without markup, short, without paths of its host.</summary>
internal static partial class StoreWords
{
    // A sentence or two; the whole of a schema error would be a page.
    private const int MaxLength = 200;

    // Whoever answers may send a megabyte of beginnings without an end: linear in any case, which no generated pattern is.
    private static readonly Regex HeadPattern = new(
        @"<head\b.*?</head>|<script\b.*?</script>|<style\b.*?</style>",
        RegexOptions.Singleline | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    /// <summary>Status and message, for example <c>413 The incoming image is too large</c>.</summary>
    public static string Of(HttpStatusCode status, string body)
    {
        string words = Clean(Find(body));
        string code = ((int)status).ToString(CultureInfo.InvariantCulture);
        return words.Length == 0 ? $"{code} {Spaced(status)}" : $"{code} {words}";
    }

    // Glance: {"message", "code", "title"}. Keystone: {"error": {"message"}}. Before both: a page of a proxy.
    private static string Find(string body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            JsonElement root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("error", out JsonElement error) && error.ValueKind == JsonValueKind.Object)
            {
                root = error;
            }

            return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("message", out JsonElement message) && message.ValueKind == JsonValueKind.String
                ? message.GetString()!
                : string.Empty;
        }
        catch (JsonException)
        {
            return HeadPattern.Replace(body, string.Empty);
        }
    }

    private static string Clean(string words)
    {
        string text = WebUtility.HtmlDecode(TagPattern().Replace(words, " "));
        text = PathPattern().Replace(text, "(path)");
        text = SpacePattern().Replace(text, " ").Trim();
        return text.Length <= MaxLength ? text : $"{text.AsSpan(0, MaxLength).TrimEnd()}...";
    }

    private static string Spaced(HttpStatusCode status) => CapitalPattern().Replace(status.ToString(), " $1");

    [GeneratedRegex("<[^<>]{0,1000}>")]
    private static partial Regex TagPattern();

    [GeneratedRegex(@"(?<![\w:/.])/[\w.+-]+(?:/[\w.+-]+)+/?")]
    private static partial Regex PathPattern();

    [GeneratedRegex(@"[\s\p{C}]+")]
    private static partial Regex SpacePattern();

    [GeneratedRegex("(?<=[a-z])([A-Z])")]
    private static partial Regex CapitalPattern();
}
