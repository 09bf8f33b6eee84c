using System.Buffers;
using System.Runtime.InteropServices;

namespace SnapshotApi.Nbd;

/// <summary>
/// Page-aligned native memory for reads. It lies outside the garbage-collected heap, so that it goes back to the system
/// at once and is never moved. The caller disposes, after the connection that may still write into it is disposed.
/// Nobody else frees it: a finalizer could free memory that a span still uses. Its contents are undefined until read into.
/// </summary>
public sealed unsafe class NbdBuffer : MemoryManager<byte>
{
    /// <summary>Page size: O_DIRECT writes from it need no copy.</summary>
    private const int AlignmentBytes = 4096;

    private byte* _start;

    /// <param name="lengthBytes">1 byte to 2 GiB.</param>
    /// <exception cref="OutOfMemoryException">The system gives no memory.</exception>
    public NbdBuffer(int lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(lengthBytes);
        LengthBytes = lengthBytes;
        _start = (byte*)NativeMemory.AlignedAlloc((nuint)lengthBytes, AlignmentBytes);
    }

    public int LengthBytes { get; }

    public override Span<byte> GetSpan() => new(Start, LengthBytes);

    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)LengthBytes, nameof(elementIndex));
        return new MemoryHandle(Start + elementIndex);
    }

    public override void Unpin()
    {
        // Native memory does not move.
    }

    /// <summary>The address of a part, after a check that it lies inside.</summary>
    internal byte* Slice(int startBytes, int lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(startBytes);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(lengthBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lengthBytes, LengthBytes - startBytes);
        return Start + startBytes;
    }

    protected override void Dispose(bool disposing)
    {
        NativeMemory.AlignedFree(_start);
        _start = null;
    }

    private byte* Start
    {
        get
        {
            ObjectDisposedException.ThrowIf(_start is null, this);
            return _start;
        }
    }
}
