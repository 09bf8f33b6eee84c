using System.Buffers;
using SnapshotApi.Nbd.Interop;

namespace SnapshotApi.Nbd;

/// <summary>
/// Page-aligned native memory for reads (O_DIRECT writes from it need no copy). It is mapped, so that it goes back to
/// the system at once: <c>malloc</c> keeps such blocks once it has freed a first one, since its threshold for mapping
/// grows to their size (mallopt(3), M_MMAP_THRESHOLD). The caller disposes it, after the connection that may still
/// write into it. No finalizer does: it could free memory that a span still uses. Its contents are undefined until read
/// into.
/// </summary>
public sealed unsafe class NbdBuffer : MemoryManager<byte>
{
    private byte* _start;

    /// <param name="lengthBytes">1 byte to 2 GiB.</param>
    /// <exception cref="InsufficientMemoryException">The system gives no memory.</exception>
    public NbdBuffer(int lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(lengthBytes);
        LengthBytes = lengthBytes;
        nint start = LibC.mmap(
            null, (nuint)lengthBytes, LibC.PROT_READ | LibC.PROT_WRITE, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, 0);
        if (start == LibC.MAP_FAILED)
        {
            throw new InsufficientMemoryException($"the system gives no {lengthBytes} bytes for reading");
        }

        _start = (byte*)start;
    }

    public int LengthBytes { get; }

    public override Span<byte> GetSpan() => new(Start, LengthBytes);

    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)LengthBytes, nameof(elementIndex));
        return new MemoryHandle(Start + elementIndex);
    }

    // Native memory does not move.
    public override void Unpin()
    {
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
        if (_start is not null)
        {
            _ = LibC.munmap(_start, (nuint)LengthBytes);
            _start = null;
        }
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
