using System.Runtime.InteropServices;

namespace SnapshotApi.Nbd.Interop;

/// <summary>
/// Turns libnbd's result into an exception. libnbd keeps its error per thread, so the failed call and this one must stay
/// in one synchronous method.
/// </summary>
internal static unsafe class NbdError
{
    private const int EINVAL = 22;
    private const int ENOTSUP = 95;
    private const int ENOTCONN = 107;

    /// <summary>Passes a result of 0 or more through.</summary>
    internal static long Check(long result, string function, SafeNbdHandle handle) =>
        result >= 0 ? result : throw Last(function, handle);

    /// <summary>The error of the last call of this thread, sorted by what is left of the connection.</summary>
    internal static NbdException Last(string function, SafeNbdHandle handle)
    {
        int errno = LibNbd.nbd_get_errno();
        string message = Marshal.PtrToStringUTF8((nint)LibNbd.nbd_get_error()) ?? $"{function}: unknown error";
        if (IsLost(handle))
        {
            return new NbdProtocolException(function, errno, message);
        }

        return errno == ENOTSUP
            ? new NbdUnsupportedException(function, errno, message)
            : new NbdRequestException(function, errno, message);
    }

    /// <summary>The server ended the connection without an error that libnbd could name.</summary>
    internal static NbdProtocolException Lost(string function) =>
        new(function, ENOTCONN, $"{function}: the server closed the connection");

    /// <summary>An error while connecting: no connection is left whatever the state says.</summary>
    internal static NbdProtocolException Connecting(string function)
    {
        int errno = LibNbd.nbd_get_errno();
        string message = Marshal.PtrToStringUTF8((nint)LibNbd.nbd_get_error()) ?? $"{function}: unknown error";
        return new NbdProtocolException(function, errno, message);
    }

    internal static NbdUnsupportedException NoBlockStatus() =>
        new(nameof(LibNbd.nbd_aio_block_status), EINVAL, "the server did not agree to the metadata context base:allocation");

    internal static bool IsLost(SafeNbdHandle handle) =>
        LibNbd.nbd_aio_is_dead(handle) > 0 || LibNbd.nbd_aio_is_closed(handle) > 0;
}
