using SnapshotApi.Nbd.Interop;

namespace SnapshotApi.Nbd;

/// <summary>
/// One connection to one export: one libnbd handle. Not thread-safe: one thread at a time, except <see cref="Wake"/>,
/// <see cref="ReceivedCount"/> and the cancellation of a token. Every call blocks: call it on a thread of your own, not on the pool.
/// A call that is cancelled closes the connection, since its request may still be on the way. The caller disposes.
/// </summary>
/// <remarks>
/// Underneath everything is asynchronous (<c>nbd_aio_*</c>) with a <c>poll</c> of our own over the socket and a wake-up
/// descriptor: <c>nbd_shutdown</c> from another thread would wait for the lock that the blocked call holds.
/// </remarks>
public sealed partial class NbdConnection : IDisposable
{
    private readonly SafeNbdHandle _handle;
    private readonly WakeEvent _wake;
    private long _receivedCount;

    private NbdConnection(SafeNbdHandle handle, WakeEvent wake)
    {
        _handle = handle;
        _wake = wake;
    }

    /// <summary>The size of the export.</summary>
    public long SizeBytes { get; private set; }

    /// <summary>The server allows several connections that see each other's state: parallel readers are safe.</summary>
    public bool CanMultiConn { get; private set; }

    public bool IsReadOnly { get; private set; }

    /// <summary><see cref="BlockStatus"/> works: the server agreed to <c>base:allocation</c>.</summary>
    public bool CanBlockStatus { get; private set; }

    public NbdBlockSizes BlockSizes { get; private set; }

    /// <summary>
    /// How often bytes came in or the server took bytes; it stands still when the server stalls. Any thread may read it.
    /// </summary>
    public long ReceivedCount => Volatile.Read(ref _receivedCount);

    internal SafeNbdHandle Handle => _handle;

    /// <summary>Reads bytes. Blocks.</summary>
    /// <param name="offsetBytes">Start in the export; a multiple of the minimum block size.</param>
    /// <param name="destination">Filled wholly; undefined after an error.</param>
    /// <param name="cancellationToken">Ends the wait at once, and the connection with it.</param>
    /// <exception cref="NbdRequestException">The server could not read this part (EIO), or it lies outside the export.</exception>
    /// <exception cref="NbdProtocolException">The connection is lost.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the connection is closed.</exception>
    public unsafe void Read(long offsetBytes, Span<byte> destination, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offsetBytes);
        if (destination.IsEmpty)
        {
            return;
        }

        fixed (byte* start = destination)
        {
            long cookie = NbdError.Check(
                LibNbd.nbd_aio_pread(_handle, start, (nuint)destination.Length, (ulong)offsetBytes, default, 0),
                nameof(LibNbd.nbd_aio_pread),
                _handle);
            Complete(cookie, nameof(LibNbd.nbd_aio_pread), cancellationToken);
        }
    }

    /// <summary>
    /// Asks for the allocation of a part. The server may answer for less than asked, but for at least one extent from
    /// <paramref name="offsetBytes"/> on: repeat from the end of the last extent. Blocks.
    /// </summary>
    /// <param name="offsetBytes">Start in the export; a multiple of the minimum block size.</param>
    /// <param name="lengthBytes">1 byte to 4 GiB - 1, a multiple of the minimum block size.</param>
    /// <param name="cancellationToken">Ends the wait at once, and the connection with it.</param>
    /// <returns>Extents without gaps, in order, none beyond the part asked for.</returns>
    /// <exception cref="NbdUnsupportedException">The server has no block status (<see cref="CanBlockStatus"/>).</exception>
    /// <exception cref="NbdRequestException">The server refused.</exception>
    /// <exception cref="NbdProtocolException">The connection is lost, or the answer held no extent.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the connection is closed.</exception>
    public IReadOnlyList<NbdExtent> BlockStatus(long offsetBytes, long lengthBytes, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offsetBytes);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(lengthBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lengthBytes, uint.MaxValue);
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        if (!CanBlockStatus)
        {
            throw NbdError.NoBlockStatus();
        }

        var collector = new ExtentCollector(offsetBytes + lengthBytes);
        long cookie = NbdError.Check(
            LibNbd.nbd_aio_block_status(_handle, (ulong)lengthBytes, (ulong)offsetBytes, collector.ToCallback(), default, 0),
            nameof(LibNbd.nbd_aio_block_status),
            _handle);
        Complete(cookie, nameof(LibNbd.nbd_aio_block_status), cancellationToken);
        return collector.Extents.Count > 0
            ? collector.Extents
            : throw new NbdProtocolException(
                nameof(LibNbd.nbd_aio_block_status), 0, $"the server named no extent at offset {offsetBytes}");
    }

    /// <summary>Ends a wait of <see cref="NbdReader.Wait"/> in another thread, now or the next one. Any thread may call it.</summary>
    public void Wake() => _wake.Signal();

    /// <summary>Closes the socket; requests in flight are dropped.</summary>
    public void Dispose()
    {
        // Tell the server good-bye if that needs no wait; a stalled server must not hold us up.
        if (!_handle.IsClosed && LibNbd.nbd_aio_is_ready(_handle) > 0)
        {
            _ = LibNbd.nbd_aio_disconnect(_handle, 0);
        }

        _handle.Dispose();
        _wake.Dispose();
    }

    /// <summary>Connects to an export behind a unix socket. Blocks.</summary>
    /// <param name="socketPath">At most 107 bytes (the kernel's limit).</param>
    /// <param name="exportName">Empty = the server's default export.</param>
    /// <param name="wantBlockStatus">Ask for <c>base:allocation</c>; see <see cref="CanBlockStatus"/> for the answer.</param>
    /// <param name="cancellationToken">Ends the wait at once.</param>
    /// <exception cref="NbdProtocolException">No such socket, nobody listens, no such export, or the handshake failed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static NbdConnection ConnectUnix(
        string socketPath, string exportName, bool wantBlockStatus, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(socketPath);
        ArgumentNullException.ThrowIfNull(exportName);
        RefuseNul(socketPath, nameof(socketPath));
        RefuseNul(exportName, nameof(exportName));
        return Connect(
            handle => LibNbd.nbd_set_export_name(handle, exportName) < 0
                ? -1
                : LibNbd.nbd_aio_connect_unix(handle, socketPath),
            nameof(LibNbd.nbd_aio_connect_unix),
            wantBlockStatus,
            cancellationToken);
    }

    /// <summary>A C string ends at the first NUL: what follows would silently be lost.</summary>
    private static void RefuseNul(string value, string name)
    {
        if (value.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("contains a NUL character", name);
        }
    }

    private static NbdConnection Connect(
        Func<SafeNbdHandle, int> start, string function, bool wantBlockStatus, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        SafeNbdHandle handle = LibNbd.nbd_create();
        if (handle.IsInvalid)
        {
            handle.Dispose();
            throw NbdError.Connecting(nameof(LibNbd.nbd_create));
        }

        var connection = new NbdConnection(handle, WakeEvent.Create());
        try
        {
            // Every read fills its whole buffer or fails, so zeroing it first would only cost memory bandwidth.
            NbdError.Check(
                LibNbd.nbd_set_pread_initialize(handle, false), nameof(LibNbd.nbd_set_pread_initialize), handle);
            if (wantBlockStatus)
            {
                NbdError.Check(
                    LibNbd.nbd_add_meta_context(handle, LibNbd.LIBNBD_CONTEXT_BASE_ALLOCATION),
                    nameof(LibNbd.nbd_add_meta_context),
                    handle);
            }

            if (start(handle) < 0)
            {
                throw NbdError.Connecting(function);
            }

            connection.Handshake(function, cancellationToken);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private void Handshake(string function, CancellationToken cancellationToken)
    {
        using (Watch(cancellationToken))
        {
            while (LibNbd.nbd_aio_is_ready(_handle) == 0)
            {
                Poll(function, Timeout.Infinite);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }

        SizeBytes = NbdError.Check(LibNbd.nbd_get_size(_handle), nameof(LibNbd.nbd_get_size), _handle);
        CanMultiConn = Ask(LibNbd.nbd_can_multi_conn(_handle), nameof(LibNbd.nbd_can_multi_conn));
        IsReadOnly = Ask(LibNbd.nbd_is_read_only(_handle), nameof(LibNbd.nbd_is_read_only));
        CanBlockStatus = Ask(
            LibNbd.nbd_can_meta_context(_handle, LibNbd.LIBNBD_CONTEXT_BASE_ALLOCATION),
            nameof(LibNbd.nbd_can_meta_context));
        BlockSizes = new NbdBlockSizes(
            BlockSize(LibNbd.LIBNBD_SIZE_MINIMUM),
            BlockSize(LibNbd.LIBNBD_SIZE_PREFERRED),
            BlockSize(LibNbd.LIBNBD_SIZE_MAXIMUM));
    }

    private bool Ask(int answer, string function) => NbdError.Check(answer, function, _handle) > 0;

    private long BlockSize(int sizeType) =>
        NbdError.Check(LibNbd.nbd_get_block_size(_handle, sizeType), nameof(LibNbd.nbd_get_block_size), _handle);
}

/// <summary>The server's constraints on requests; each is 0 if the server named none.</summary>
/// <param name="MinimumBytes">Offsets and lengths must be multiples of it.</param>
/// <param name="PreferredBytes">Requests below it cost as much as one of this size.</param>
/// <param name="MaximumBytes">The longest request the server takes.</param>
public readonly record struct NbdBlockSizes(long MinimumBytes, long PreferredBytes, long MaximumBytes);
