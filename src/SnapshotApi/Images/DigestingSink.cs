using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace SnapshotApi.Images;

/// <summary>
/// Computes the digest of all that goes through to another sink. A piece is hashed while the other sink writes it, so on two
/// cores the slower of both counts, not the sum. The caller disposes; the inner sink stays the caller's.
/// </summary>
internal sealed class DigestingSink : IImageSink, IDisposable
{
    /// <summary>Longest run of zeros per step: cancellation waits for one step at most.</summary>
    private const int ZerosPerStepBytes = 32 * 1024 * 1024;

    private static readonly byte[] Zeros = new byte[64 * 1024];

    private readonly IImageSink _inner;
    private readonly IncrementalHash _hash;
    private readonly string _algorithm;

    /// <param name="inner">Receives everything.</param>
    /// <param name="algorithm"><c>sha256</c> or <c>sha512</c>.</param>
    /// <exception cref="ArgumentOutOfRangeException">Another algorithm.</exception>
    public DigestingSink(IImageSink inner, string algorithm)
    {
        _inner = inner;
        _algorithm = algorithm;
        _hash = IncrementalHash.CreateHash(algorithm switch
        {
            "sha256" => HashAlgorithmName.SHA256,
            "sha512" => HashAlgorithmName.SHA512,
            _ => throw new ArgumentOutOfRangeException(nameof(algorithm), algorithm, "no such digest algorithm"),
        });
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        ValueTask write = _inner.WriteAsync(bytes, cancellationToken);
        _hash.AppendData(bytes.Span);
        await write.ConfigureAwait(false);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken)
    {
        while (lengthBytes > 0)
        {
            int step = (int)Math.Min(ZerosPerStepBytes, lengthBytes);
            ValueTask write = _inner.WriteZerosAsync(step, cancellationToken);
            AppendZeros(step);
            await write.ConfigureAwait(false);
            lengthBytes -= step;
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>The digest of everything so far; starts anew afterwards.</summary>
    public Digest Finish() => new(_algorithm, Convert.ToHexStringLower(_hash.GetHashAndReset()));

    public void Dispose() => _hash.Dispose();

    private void AppendZeros(int lengthBytes)
    {
        while (lengthBytes > 0)
        {
            int step = Math.Min(Zeros.Length, lengthBytes);
            _hash.AppendData(Zeros, 0, step);
            lengthBytes -= step;
        }
    }
}
