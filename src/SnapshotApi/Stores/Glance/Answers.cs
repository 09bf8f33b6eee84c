using System.Net;
using SnapshotApi.Errors;

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
        HttpClient http, HttpRequestMessage request, string peer, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        using var silence = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, silence.Token);
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseContentRead, either.Token).ConfigureAwait(false);
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
        cause is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError }
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
            HttpStatusCode.RequestEntityTooLarge when words.Contains("media is full", StringComparison.OrdinalIgnoreCase) =>
                new SnapshotException(SnapshotErrorCode.NoSpace, $"Glance has no space for the image: {words}"),
            HttpStatusCode.RequestEntityTooLarge => new SnapshotException(
                SnapshotErrorCode.QuotaExceeded, $"the image is larger than Glance allows: {words}"),
            >= HttpStatusCode.InternalServerError => new SnapshotException(SnapshotErrorCode.StoreFailed, $"Glance failed: {words}") { IsTransient = true },
            _ => Failed($"Glance refused the image: {words}"),
        };
    }

    private static SnapshotException Failed(string message) => new(SnapshotErrorCode.StoreFailed, message);
}
