namespace SnapshotApi.Codecs;

/// <summary>Compresses blocks independently, without allocations. Not thread-safe. The caller disposes.</summary>
public abstract class BlockCompressor : IDisposable
{
    /// <param name="block">At least 1 byte.</param>
    /// <param name="destination">Overwritten also when the result does not fit.</param>
    /// <param name="writtenBytes">Length of the result; 0 if it does not fit.</param>
    /// <returns>False: the result is longer than <paramref name="destination"/>.</returns>
    /// <exception cref="CodecException">The library failed for another reason.</exception>
    public abstract bool TryCompress(ReadOnlySpan<byte> block, Span<byte> destination, out int writtenBytes);

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);
}

/// <summary>A compression library failed, for want of memory or by our mistake, never because of the bytes.</summary>
public sealed class CodecException(string message) : Exception(message);
