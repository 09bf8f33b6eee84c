namespace SnapshotApi.Codecs;

/// <summary>
/// Compresses blocks, each for itself. The native context is made once and used over and over: nothing is allocated per block.
/// Not thread-safe: one per thread. The caller disposes.
/// </summary>
public abstract class BlockCompressor : IDisposable
{
    /// <summary>Compresses one block.</summary>
    /// <param name="block">At least 1 byte.</param>
    /// <param name="destination">Where the result goes; overwritten also when it does not fit.</param>
    /// <param name="writtenBytes">Length of the result; 0 if it does not fit.</param>
    /// <returns>False: the result is longer than <paramref name="destination"/>.</returns>
    /// <exception cref="CodecException">The library failed for another reason.</exception>
    public abstract bool TryCompress(ReadOnlySpan<byte> block, Span<byte> destination, out int writtenBytes);

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the native context.</summary>
    protected abstract void Dispose(bool disposing);
}

/// <summary>A compression library refused what it was asked for: never because of the bytes, always because of memory or of us.</summary>
public sealed class CodecException : Exception
{
    public CodecException()
    {
    }

    public CodecException(string message)
        : base(message)
    {
    }

    public CodecException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
