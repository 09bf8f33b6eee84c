using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SnapshotApi.Linux;

namespace SnapshotApi.Nbd.Interop;

/// <summary>
/// The raw imports of libnbd 1.14, with the names, types and constants of <c>libnbd.h</c>. See
/// https://libguestfs.org/libnbd.3.html and, for each function, https://libguestfs.org/FUNCTION.3.html
/// </summary>
internal static unsafe partial class LibNbd
{
    private const string Library = "libnbd.so.0";

    [LibraryImport(Library)] internal static partial SafeNbdHandle nbd_create();

    /// <summary>Closes the socket and frees every command in flight.</summary>
    [LibraryImport(Library)] internal static partial void nbd_close(nint h);

    /// <summary>The message of the last failed call of this thread; owned by libnbd.</summary>
    [LibraryImport(Library)] internal static partial byte* nbd_get_error();

    /// <summary>The errno of the last failed call of this thread, 0 if unknown.</summary>
    [LibraryImport(Library)] internal static partial int nbd_get_errno();

    /// <summary>The metadata context that tells holes and zeros. See the NBD protocol, "Metadata querying".</summary>
    internal const string LIBNBD_CONTEXT_BASE_ALLOCATION = "base:allocation";

    internal const int LIBNBD_SIZE_MAXIMUM = 2;

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int nbd_set_export_name(SafeNbdHandle h, string export_name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int nbd_add_meta_context(SafeNbdHandle h, string name);

    /// <summary>False: libnbd does not zero the buffer of a read before it fills it. libnbd >= 1.12.</summary>
    [LibraryImport(Library)]
    internal static partial int nbd_set_pread_initialize(SafeNbdHandle h, [MarshalAs(UnmanagedType.U1)] bool request);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int nbd_aio_connect_unix(SafeNbdHandle h, string unixsocket);
    [LibraryImport(Library)] internal static partial long nbd_get_size(SafeNbdHandle h);
    [LibraryImport(Library)] internal static partial long nbd_get_block_size(SafeNbdHandle h, int size_type);
    [LibraryImport(Library)] internal static partial int nbd_can_multi_conn(SafeNbdHandle h);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int nbd_can_meta_context(SafeNbdHandle h, string metacontext);

    internal const uint LIBNBD_AIO_DIRECTION_READ = 1;
    internal const uint LIBNBD_AIO_DIRECTION_WRITE = 2;

    /// <summary>Returns the command's cookie. The buffer must live until it is retired or the handle closed.</summary>
    [LibraryImport(Library)]
    internal static partial long nbd_aio_pread(
        SafeNbdHandle h, byte* buf, nuint count, ulong offset, nbd_completion_callback completion_callback, uint flags);

    /// <summary>Returns the command's cookie. libnbd calls <c>free</c> exactly once, also if this call fails.</summary>
    [LibraryImport(Library)]
    internal static partial long nbd_aio_block_status(
        SafeNbdHandle h, ulong count, ulong offset, nbd_extent_callback extent_callback,
        nbd_completion_callback completion_callback, uint flags);
    [LibraryImport(Library)] internal static partial int nbd_aio_disconnect(SafeNbdHandle h, uint flags);

    /// <summary>1: done and retired, 0: in flight, -1: failed and retired.</summary>
    [LibraryImport(Library)] internal static partial int nbd_aio_command_completed(SafeNbdHandle h, ulong cookie);

    /// <summary>The cookie of a command that is done but not retired, 0 if all are in flight, -1 if none is.</summary>
    [LibraryImport(Library)] internal static partial long nbd_aio_peek_command_completed(SafeNbdHandle h);
    [LibraryImport(Library)] internal static partial int nbd_aio_get_fd(SafeNbdHandle h);
    [LibraryImport(Library)] internal static partial uint nbd_aio_get_direction(SafeNbdHandle h);
    [LibraryImport(Library)] internal static partial int nbd_aio_notify_read(SafeNbdHandle h);
    [LibraryImport(Library)] internal static partial int nbd_aio_notify_write(SafeNbdHandle h);
    [LibraryImport(Library)] internal static partial int nbd_aio_is_ready(SafeNbdHandle h);
    [LibraryImport(Library)] internal static partial int nbd_aio_is_dead(SafeNbdHandle h);
    [LibraryImport(Library)] internal static partial int nbd_aio_is_closed(SafeNbdHandle h);

    /// <summary>Passed by value; all zero is <c>NBD_NULL_COMPLETION</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct nbd_completion_callback
    {
        internal delegate* unmanaged[Cdecl]<void*, int*, int> callback;
        internal void* user_data;
        internal delegate* unmanaged[Cdecl]<void*, void> free;
    }

    /// <summary><c>callback(user_data, metacontext, offset, entries, nr_entries, error)</c></summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct nbd_extent_callback
    {
        internal delegate* unmanaged[Cdecl]<void*, byte*, ulong, uint*, nuint, int*, int> callback;
        internal void* user_data;
        internal delegate* unmanaged[Cdecl]<void*, void> free;
    }
}

/// <summary>Owns one <c>struct nbd_handle</c>; releasing it closes the connection.</summary>
internal sealed class SafeNbdHandle() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        LibNbd.nbd_close(handle);
        return true;
    }
}

/// <summary>Turns libnbd's error, which is per thread, into an exception: in the method that made the call.</summary>
internal static unsafe class NbdError
{
    /// <summary>Passes a result of 0 or more through.</summary>
    internal static long Check(
        long result, SafeNbdHandle handle, [CallerArgumentExpression(nameof(result))] string call = "") =>
        result >= 0 ? result : throw Last(call.Split('(')[0].Split('.')[^1], handle);

    /// <summary>The error of the last call of this thread, sorted by what is left of the connection.</summary>
    internal static NbdException Last(string function, SafeNbdHandle handle)
    {
        (int errno, string message) = Read(function);
        return IsLost(handle) ? new NbdProtocolException(function, errno, message)
            : errno == Errno.EOPNOTSUPP ? new NbdUnsupportedException(function, errno, message)
            : new NbdRequestException(function, errno, message);
    }

    /// <summary>The server ended the connection without an error that libnbd could name.</summary>
    internal static NbdProtocolException Lost(string function) =>
        new(function, Errno.ENOTCONN, $"{function}: the server closed the connection");

    /// <summary>An error while connecting: no connection is left whatever the state says.</summary>
    internal static NbdProtocolException Connecting(string function)
    {
        (int errno, string message) = Read(function);
        return new NbdProtocolException(function, errno, message);
    }

    internal static NbdUnsupportedException NoBlockStatus() => new(
        nameof(LibNbd.nbd_aio_block_status), Errno.EINVAL,
        "the server did not agree to the metadata context base:allocation");

    internal static bool IsLost(SafeNbdHandle handle) =>
        LibNbd.nbd_aio_is_dead(handle) > 0 || LibNbd.nbd_aio_is_closed(handle) > 0;

    private static (int Errno, string Message) Read(string function) => (
        LibNbd.nbd_get_errno(),
        Marshal.PtrToStringUTF8((nint)LibNbd.nbd_get_error()) ?? $"{function}: unknown error");
}
