using System.Net.Http.Headers;

namespace SnapshotApi.Api.Validation;

/// <summary>Reads the bytes of a JSON body, no more than a request may have.</summary>
internal static class BodyReader
{
    /// <summary>Most bytes of a body: a request with all its metadata fits many times.</summary>
    public const int MaxBytes = 64 << 10;

    /// <summary>Reads the body.</summary>
    /// <exception cref="RequestRejectedException">It is too large, or not said to be JSON.</exception>
    public static Task<ReadOnlyMemory<byte>> ReadAsync(
        HttpRequest request, CancellationToken cancellationToken) => ReadAsync(request, "application/json", cancellationToken);

    /// <summary>The same; another media type, too, is taken for JSON.</summary>
    public static async Task<ReadOnlyMemory<byte>> ReadAsync(
        HttpRequest request, string alsoMediaType, CancellationToken cancellationToken)
    {
        if (!IsJson(request.ContentType, alsoMediaType))
        {
            throw new RequestRejectedException(ProblemMapping.Of("unsupported_media_type"), "the body must be application/json");
        }

        if (request.ContentLength > MaxBytes)
        {
            throw TooLarge();
        }

        // One byte more than allowed, to notice a body that is longer than it may be and has no Content-Length.
        var buffer = new byte[MaxBytes + 1];
        int length = await request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken)
            .ConfigureAwait(false);
        return length > MaxBytes ? throw TooLarge() : buffer.AsMemory(0, length);
    }

    private static bool IsJson(string? contentType, string alsoMediaType) =>
        MediaTypeHeaderValue.TryParse(contentType, out MediaTypeHeaderValue? type)
        && (string.Equals(type.MediaType, "application/json", StringComparison.OrdinalIgnoreCase)
            || string.Equals(type.MediaType, alsoMediaType, StringComparison.OrdinalIgnoreCase))
        && (type.CharSet is null || string.Equals(type.CharSet.Trim('"'), "utf-8", StringComparison.OrdinalIgnoreCase));

    private static RequestRejectedException TooLarge() =>
        new(ProblemMapping.Of("payload_too_large"), $"the body must have at most {MaxBytes} bytes");
}
