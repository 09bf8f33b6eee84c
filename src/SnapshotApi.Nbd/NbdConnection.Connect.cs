using SnapshotApi.Nbd.Interop;

namespace SnapshotApi.Nbd;

/// <summary>Connecting and the handshake.</summary>
public sealed partial class NbdConnection
{
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

    /// <summary>Connects to the export that an NBD URI names, such as <c>nbd+unix:///export?socket=/run/x.sock</c>. Blocks.</summary>
    /// <param name="uri">See https://github.com/NetworkBlockDevice/nbd/blob/master/doc/uri.md</param>
    /// <param name="wantBlockStatus">Ask for <c>base:allocation</c>; see <see cref="CanBlockStatus"/> for the answer.</param>
    /// <param name="cancellationToken">Ends the wait at once.</param>
    /// <exception cref="NbdProtocolException">The URI is malformed, nobody listens, no such export, or the handshake failed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static NbdConnection ConnectUri(string uri, bool wantBlockStatus, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(uri);
        RefuseNul(uri, nameof(uri));
        return Connect(
            handle => LibNbd.nbd_aio_connect_uri(handle, uri),
            nameof(LibNbd.nbd_aio_connect_uri),
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
