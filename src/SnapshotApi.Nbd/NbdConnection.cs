using System.Runtime.CompilerServices;
using SnapshotApi.Nbd.Interop;

namespace SnapshotApi.Nbd;

/// <summary>
/// One connection to one export: one libnbd handle. One thread at a time, except for <see cref="Wake"/>,
/// <see cref="ReceivedCount"/> and the cancellation of a token. Every call blocks: not on the thread pool. A cancelled
/// call closes the connection, since its request may still be on the way. The caller disposes.
/// </summary>
/// <remarks>
/// Underneath it is asynchronous (<c>nbd_aio_*</c>) with a <c>poll</c> over the socket and a wake-up descriptor:
/// <c>nbd_shutdown</c> from another thread would wait for the lock that the blocked call holds.
/// </remarks>
public sealed partial class NbdConnection : IDisposable
{
    private readonly SafeNbdHandle _handle;
    private readonly WakeEvent _wake;
    private long _receivedCount;

    private NbdConnection(SafeNbdHandle handle, WakeEvent wake) => (_handle, _wake) = (handle, wake);

    public long SizeBytes { get; private set; }

    /// <summary>The server allows several connections that see each other's state: parallel readers are safe.</summary>
    public bool CanMultiConn { get; private set; }

    /// <summary><see cref="BlockStatus"/> works: the server agreed to <c>base:allocation</c>.</summary>
    public bool CanBlockStatus { get; private set; }

    /// <summary>The longest request that the server takes; 0: it names none.</summary>
    public long MaximumRequestBytes { get; private set; }

    /// <summary>How often the server sent or took bytes; stands still when it stalls. Any thread may read it.</summary>
    public long ReceivedCount => Volatile.Read(ref _receivedCount);

    internal SafeNbdHandle Handle => _handle;

    /// <summary>Reads bytes. Blocks.</summary>
    /// <param name="offsetBytes">A multiple of the minimum block size.</param>
    /// <param name="destination">Filled wholly; undefined after an error.</param>
    /// <exception cref="NbdRequestException">EIO of the server, or the part lies outside the export.</exception>
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
                _handle);
            Complete(cookie, nameof(LibNbd.nbd_aio_pread), cancellationToken);
        }
    }

    /// <summary>
    /// Asks for the allocation of a part. The server may answer for less, but at least for one extent from
    /// <paramref name="offsetBytes"/> on: repeat from the end of the last one. Blocks.
    /// </summary>
    /// <param name="offsetBytes">A multiple of the minimum block size.</param>
    /// <param name="lengthBytes">1 byte to 4 GiB - 1, a multiple of the minimum block size.</param>
    /// <returns>Extents without gaps, in order, none beyond the part asked for.</returns>
    /// <exception cref="NbdUnsupportedException">See <see cref="CanBlockStatus"/>.</exception>
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
            LibNbd.nbd_aio_block_status(
                _handle, (ulong)lengthBytes, (ulong)offsetBytes, collector.ToCallback(), default, 0), _handle);
        Complete(cookie, nameof(LibNbd.nbd_aio_block_status), cancellationToken);
        return collector.Extents.Count > 0
            ? collector.Extents
            : throw new NbdProtocolException(
                nameof(LibNbd.nbd_aio_block_status), 0, $"the server named no extent at offset {offsetBytes}");
    }

    /// <summary>Ends the present or next <see cref="NbdReader.Wait"/>. Any thread may call it.</summary>
    public void Wake() => _wake.Signal();

    /// <summary>Closes the socket; requests in flight are dropped.</summary>
    public void Dispose()
    {
        // Says good-bye where that takes no wait: a stalled server must not hold this up.
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
    /// <param name="wantBlockStatus">Ask for <c>base:allocation</c>; see <see cref="CanBlockStatus"/>.</param>
    /// <exception cref="NbdProtocolException">No such socket or export, no listener, or a bad handshake.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static NbdConnection ConnectUnix(
        string socketPath, string exportName, bool wantBlockStatus, CancellationToken cancellationToken)
    {
        const string Function = nameof(LibNbd.nbd_aio_connect_unix);
        ArgumentException.ThrowIfNullOrEmpty(socketPath);
        ArgumentNullException.ThrowIfNull(exportName);
        RefuseNul(socketPath, nameof(socketPath));
        RefuseNul(exportName, nameof(exportName));
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
            NbdError.Check(LibNbd.nbd_set_pread_initialize(handle, false), handle);
            if (wantBlockStatus)
            {
                NbdError.Check(LibNbd.nbd_add_meta_context(handle, LibNbd.LIBNBD_CONTEXT_BASE_ALLOCATION), handle);
            }

            if (LibNbd.nbd_set_export_name(handle, exportName) < 0
                || LibNbd.nbd_aio_connect_unix(handle, socketPath) < 0)
            {
                throw NbdError.Connecting(Function);
            }

            connection.Handshake(Function, cancellationToken);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>A C string ends at the first NUL: what follows would silently be lost.</summary>
    private static void RefuseNul(string value, string name)
    {
        if (value.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("contains a NUL character", name);
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

        SizeBytes = NbdError.Check(LibNbd.nbd_get_size(_handle), _handle);
        CanMultiConn = Ask(LibNbd.nbd_can_multi_conn(_handle));
        CanBlockStatus = Ask(LibNbd.nbd_can_meta_context(_handle, LibNbd.LIBNBD_CONTEXT_BASE_ALLOCATION));
        MaximumRequestBytes = NbdError.Check(LibNbd.nbd_get_block_size(_handle, LibNbd.LIBNBD_SIZE_MAXIMUM), _handle);
    }

    private bool Ask(int answer, [CallerArgumentExpression(nameof(answer))] string call = "") =>
        NbdError.Check(answer, _handle, call) > 0;
}
