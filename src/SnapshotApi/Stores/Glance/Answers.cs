using System.Net;
using System.Text.RegularExpressions;

namespace SnapshotApi.Stores.Glance;

/// <summary>Sends a request, and tells apart how it can come to nothing.</summary>
internal static class Answers
{
    /// <summary>Sends a request whose answer is small.</summary>
    /// <param name="http">Sends; its own time-out is off.</param>
    /// <param name="request">The request.</param>
    /// <param name="peer">Who is asked, for messages.</param>
    /// <param name="timeout">How long it may be silent.</param>
    /// <param name="time">Clock.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="SnapshotException">store_failed, transient: not reached, or cut. timed_out: silent.</exception>
    public static async Task<HttpResponseMessage> SendAsync(
        HttpClient http,
        HttpRequestMessage request,
        string peer,
        TimeSpan timeout,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        using var silence = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, silence.Token);
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseContentRead, either.Token)
                .ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw Lost(peer, e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Silent(peer, timeout, e);
        }
    }

    /// <summary>There was no answer because there is no connection any more, or never was one.</summary>
    public static SnapshotException Lost(string peer, Exception cause) => new(
        SnapshotErrorCode.StoreFailed,
        cause is HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError,
        }
            ? $"{peer} can't be reached"
            : cause is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError }
                ? $"{peer} can't be trusted: the TLS handshake failed"
                : $"the connection to {peer} was cut",
        cause)
    {
        IsTransient = cause is not HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError },
    };

    /// <summary>It was silent for too long.</summary>
    public static SnapshotException Silent(string peer, TimeSpan timeout, Exception? cause = null) =>
        new(SnapshotErrorCode.TimedOut, $"{peer} was silent for {timeout.TotalSeconds:0.###} s", cause);

    /// <summary>What an answer that is no success means for a job.</summary>
    /// <param name="status">Its status.</param>
    /// <param name="body">Its body.</param>
    public static SnapshotException Refused(HttpStatusCode status, string body)
    {
        string words = StoreWords.Of(status, body);
        return status switch
        {
            HttpStatusCode.Unauthorized => Failed($"Glance does not know who we are: {words}"),
            HttpStatusCode.Forbidden => Failed($"Glance forbids it: {words}"),
            HttpStatusCode.NotFound or HttpStatusCode.Gone => new SnapshotException(
                SnapshotErrorCode.ImageDeleted, $"the image was deleted in Glance while it was written: {words}"),
            HttpStatusCode.Conflict => Failed($"the image in Glance is not in the state that it should be in: {words}"),
            HttpStatusCode.RequestEntityTooLarge when words.Contains(
                "media is full", StringComparison.OrdinalIgnoreCase) =>
                new SnapshotException(SnapshotErrorCode.NoSpace, $"Glance has no space for the image: {words}"),
            HttpStatusCode.RequestEntityTooLarge => new SnapshotException(
                SnapshotErrorCode.QuotaExceeded, $"the image is larger than Glance allows: {words}"),
            >= HttpStatusCode.InternalServerError =>
                new SnapshotException(SnapshotErrorCode.StoreFailed, $"Glance failed: {words}") { IsTransient = true },
            _ => Failed($"Glance refused the image: {words}"),
        };
    }

    private static SnapshotException Failed(string message) => new(SnapshotErrorCode.StoreFailed, message);
}

/// <summary>A server's error text, fit for a user: one short line without markup and host paths.</summary>
internal static partial class StoreWords
{
    // A sentence or two; the whole of a schema error would be a page.
    private const int MaxLength = 200;

    // A server may send a megabyte of opening tags: only a non-backtracking pattern is linear then.
    private static readonly Regex HeadPattern = new(
        @"<head\b.*?</head>|<script\b.*?</script>|<style\b.*?</style>",
        RegexOptions.Singleline | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant
            | RegexOptions.NonBacktracking);

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
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("error", out JsonElement error)
                && error.ValueKind == JsonValueKind.Object)
            {
                root = error;
            }

            return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("message", out JsonElement message)
                && message.ValueKind == JsonValueKind.String
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
