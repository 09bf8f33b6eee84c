using System.Security.Cryptography;
using SnapshotApi.Jobs;

namespace SnapshotApi.Api.Validation;

/// <summary>Reads the header Idempotency-Key.</summary>
internal static class IdempotencyKeyReader
{
    /// <summary>Name of the header.</summary>
    public const string Header = "Idempotency-Key";

    private const int MaxLength = 255;

    /// <summary>The key with the digest of what it stands for; null when the request has none.</summary>
    /// <param name="header">Value of the header; null when it is not there.</param>
    /// <param name="body">The body as it came.</param>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">invalid_request: the key is not 1 to 255 visible characters.</exception>
    public static IdempotencyKey? Read(string? header, ReadOnlyMemory<byte> body)
    {
        if (header is null)
        {
            return null;
        }

        if (header.Length is 0 or > MaxLength || header.Any(c => c is < '!' or > '~'))
        {
            var errors = new FieldErrors();
            errors.Add(Header, $"must have 1 to {MaxLength} visible ASCII characters");
            throw errors.ToException();
        }

        return new IdempotencyKey(header, SHA256.HashData(body.Span));
    }
}
