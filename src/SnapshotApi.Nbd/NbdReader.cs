using SnapshotApi.Nbd.Interop;

namespace SnapshotApi.Nbd;

/// <summary>
/// Keeps several reads in flight on one connection. One thread submits, waits and takes results; others may call
/// <see cref="NbdConnection.Wake"/>. Owns nothing: dispose the connection before the buffers, so that no read in flight
/// writes into freed memory. Allocates nothing per read.
/// </summary>
/// <param name="connection">Stays the caller's; nothing else may use it while reads are in flight.</param>
/// <param name="capacity">The number of reads in flight at most, at least 1.</param>
public sealed unsafe class NbdReader(NbdConnection connection, int capacity)
{
    private readonly Slot[] _slots = new Slot[capacity];

    public int InFlight { get; private set; }

    public bool CanSubmit => InFlight < _slots.Length;

    /// <summary>Sends a read request; does not wait for its answer.</summary>
    /// <param name="offsetBytes">A multiple of the minimum block size.</param>
    /// <param name="buffer">Must live until the result is taken or the connection is disposed.</param>
    /// <param name="tag">Comes back with the result.</param>
    /// <exception cref="InvalidOperationException"><see cref="CanSubmit"/> is false.</exception>
    /// <exception cref="NbdRequestException">The request lies outside the export or is not aligned.</exception>
    /// <exception cref="NbdProtocolException">The connection is lost.</exception>
    public void Submit(long offsetBytes, NbdBuffer buffer, int bufferOffsetBytes, int lengthBytes, int tag)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offsetBytes);
        ArgumentNullException.ThrowIfNull(buffer);
        if (!CanSubmit)
        {
            throw new InvalidOperationException($"{InFlight} reads are in flight already");
        }

        byte* start = buffer.Slice(bufferOffsetBytes, lengthBytes);
        long cookie = NbdError.Check(
            LibNbd.nbd_aio_pread(connection.Handle, start, (nuint)lengthBytes, (ulong)offsetBytes, default, 0),
            connection.Handle);
        _slots[InFlight++] = new Slot(cookie, tag);
    }

    /// <summary>Takes the result of a finished read, in any order. Does not block.</summary>
    /// <returns>False if none is finished.</returns>
    public bool TryTake(out NbdReadResult result)
    {
        result = default;
        long cookie = InFlight == 0 ? 0 : LibNbd.nbd_aio_peek_command_completed(connection.Handle);
        if (cookie <= 0)
        {
            return false;
        }

        int index = 0;
        while (_slots[index].Cookie != cookie)
        {
            index++;
        }

        int tag = _slots[index].Tag;
        _slots[index] = _slots[--InFlight];
        NbdException? error = LibNbd.nbd_aio_command_completed(connection.Handle, (ulong)cookie) < 0
            ? NbdError.Last(nameof(LibNbd.nbd_aio_pread), connection.Handle)
            : null;
        result = new NbdReadResult(tag, error);
        return true;
    }

    /// <summary>
    /// Blocks until the server sent or took something, <see cref="NbdConnection.Wake"/> is called, or the time is over;
    /// then look with <see cref="TryTake"/>. May return early.
    /// </summary>
    /// <param name="timeout"><see cref="Timeout.InfiniteTimeSpan"/> = no limit.</param>
    /// <returns>True: something came from or went to the server.</returns>
    /// <exception cref="NbdProtocolException">The connection is lost.</exception>
    public bool Wait(TimeSpan timeout) =>
        connection.Poll(nameof(LibNbd.nbd_aio_pread), checked((int)timeout.TotalMilliseconds));

    private readonly record struct Slot(long Cookie, int Tag);
}

/// <summary>The end of one read of an <see cref="NbdReader"/>.</summary>
/// <param name="Tag">The caller's tag of <see cref="NbdReader.Submit"/>.</param>
/// <param name="Error">Null: the bytes are there. Its type says what is left of the connection.</param>
public readonly record struct NbdReadResult(int Tag, NbdException? Error);

/// <summary>
/// A part of an export with one allocation status, in offsets and lengths that the guest sees.
/// Source: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md#baseallocation-metadata-context
/// </summary>
/// <param name="Flags">The raw flags of <c>base:allocation</c>: 1 = hole, 2 = reads as zero.</param>
public readonly record struct NbdExtent(long OffsetBytes, long LengthBytes, uint Flags)
{
    private const uint LIBNBD_STATE_HOLE = 1;
    private const uint LIBNBD_STATE_ZERO = 2;

    /// <summary>Nothing is allocated here. Alone it does not promise that the bytes read as zero.</summary>
    public bool IsHole => (Flags & LIBNBD_STATE_HOLE) != 0;

    /// <summary>The bytes read as zero.</summary>
    public bool IsZero => (Flags & LIBNBD_STATE_ZERO) != 0;
}
