using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Images;

/// <summary>
/// Computes the digest of all that goes through to another sink. A piece is hashed while the other sink writes it, so
/// on two cores the slower of both counts, not the sum. The caller disposes; the inner sink stays the caller's.
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

/// <summary>Digest of an image file.</summary>
/// <param name="Algorithm">Lower-case name: <c>sha256</c>, <c>sha512</c>.</param>
/// <param name="Value">Lower-case hexadecimal.</param>
internal sealed record Digest(string Algorithm, string Value);

/// <summary>
/// A file that is not written in order, and its digest, which has to be computed in order: a thread reads, out of the
/// page cache, what is final already, while the rest is written. The caller disposes; the inner file stays the
/// caller's.
/// </summary>
internal sealed class FollowingDigest : IImageFile, IAsyncDisposable
{
    /// <summary>A read costs nothing beside the hashing, and a piece fits into the processor's cache.</summary>
    private const int PieceBytes = 512 * 1024;

    private readonly IImageFile _inner;
    private readonly string _algorithm;
    private readonly IncrementalHash _hash;
    private readonly object _gate = new();
    private readonly Task _thread;
    private long _finalBytes;
    private bool _isComplete;
    private bool _isGivenUp;

    /// <param name="inner">Receives everything.</param>
    /// <param name="algorithm"><c>sha256</c> or <c>sha512</c>.</param>
    public FollowingDigest(IImageFile inner, string algorithm)
    {
        _inner = inner;
        _algorithm = algorithm;
        _hash = IncrementalHash.CreateHash(new HashAlgorithmName(algorithm.ToUpperInvariant()));
        _thread = DedicatedThread.RunAsync("digest", Follow);
    }

    public string Path => _inner.Path;

    public ValueTask WriteAtAsync(long offsetBytes, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        _inner.WriteAtAsync(offsetBytes, bytes, cancellationToken);

    public void SetLength(long lengthBytes) => _inner.SetLength(lengthBytes);

    public void MarkFinal(long bytes)
    {
        lock (_gate)
        {
            // Waking the thread for less costs more than it gains.
            bool isWorthwhile = bytes / PieceBytes > _finalBytes / PieceBytes;
            _finalBytes = Math.Max(_finalBytes, bytes);
            if (isWorthwhile)
            {
                Monitor.Pulse(_gate);
            }
        }
    }

    /// <summary>The whole file is written: the digest of it.</summary>
    /// <exception cref="ImageCopyException">It can't be read back.</exception>
    public async Task<Digest> FinishAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
            static digest => ((FollowingDigest)digest!).GiveUp(), this);
        lock (_gate)
        {
            _isComplete = true;
            _finalBytes = long.MaxValue;
            Monitor.Pulse(_gate);
        }

        try
        {
            await _thread.ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw new ImageCopyException(CopySide.Destination, "reading the image back failed", e);
        }

        cancellationToken.ThrowIfCancellationRequested();
        return new Digest(_algorithm, Convert.ToHexStringLower(_hash.GetHashAndReset()));
    }

    public async ValueTask DisposeAsync()
    {
        GiveUp();
        await _thread.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _hash.Dispose();
    }

    private void GiveUp()
    {
        lock (_gate)
        {
            _isGivenUp = true;
            Monitor.Pulse(_gate);
        }
    }

    private void Follow()
    {
        using SafeFileHandle file = File.OpenHandle(
            Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] piece = new byte[PieceBytes];
        long offset = 0;
        while (WaitBeyond(offset) is > 0 and var length)
        {
            int read = RandomAccess.Read(file, piece.AsSpan(0, length), offset);
            if (read == 0)
            {
                return;
            }

            _hash.AppendData(piece, 0, read);
            offset += read;
        }
    }

    /// <summary>How much may be read at the offset; 0: the end.</summary>
    private int WaitBeyond(long offset)
    {
        lock (_gate)
        {
            while (!_isGivenUp && !_isComplete && _finalBytes - offset < PieceBytes)
            {
                Monitor.Wait(_gate);
            }

            return _isGivenUp ? 0 : (int)Math.Min(PieceBytes, _finalBytes - offset);
        }
    }
}
