using System.Runtime.InteropServices;

namespace SnapshotApi.Nbd.Interop;

/// <summary>
/// The asynchronous commands and the state machine that moves them.
/// See https://libguestfs.org/libnbd.3.html#Issuing-asynchronous-commands
/// </summary>
internal static unsafe partial class LibNbd
{
    internal const uint LIBNBD_AIO_DIRECTION_READ = 1;
    internal const uint LIBNBD_AIO_DIRECTION_WRITE = 2;

    /// <summary>
    /// Sends a read; the answer is the command's cookie. <paramref name="buf"/> must live until the command is retired
    /// or the handle is closed. See https://libguestfs.org/nbd_aio_pread.3.html
    /// </summary>
    [LibraryImport(Library)]
    internal static partial long nbd_aio_pread(
        SafeNbdHandle h, byte* buf, nuint count, ulong offset, nbd_completion_callback completion_callback, uint flags);

    /// <summary>
    /// Sends a block status request; the answer is the command's cookie. libnbd calls the callback's <c>free</c> exactly
    /// once, also if this call fails. See https://libguestfs.org/nbd_aio_block_status.3.html
    /// </summary>
    [LibraryImport(Library)]
    internal static partial long nbd_aio_block_status(
        SafeNbdHandle h, ulong count, ulong offset, nbd_extent_callback extent_callback,
        nbd_completion_callback completion_callback, uint flags);

    /// <summary>See https://libguestfs.org/nbd_aio_disconnect.3.html</summary>
    [LibraryImport(Library)]
    internal static partial int nbd_aio_disconnect(SafeNbdHandle h, uint flags);

    /// <summary>
    /// 1: done and retired, 0: in flight, -1: failed and retired. See https://libguestfs.org/nbd_aio_command_completed.3.html
    /// </summary>
    [LibraryImport(Library)]
    internal static partial int nbd_aio_command_completed(SafeNbdHandle h, ulong cookie);

    /// <summary>
    /// The cookie of a command that is done but not retired, 0 if all are in flight, -1 if there are none.
    /// See https://libguestfs.org/nbd_aio_peek_command_completed.3.html
    /// </summary>
    [LibraryImport(Library)]
    internal static partial long nbd_aio_peek_command_completed(SafeNbdHandle h);

    /// <summary>See https://libguestfs.org/nbd_aio_get_fd.3.html</summary>
    [LibraryImport(Library)]
    internal static partial int nbd_aio_get_fd(SafeNbdHandle h);

    /// <summary>See https://libguestfs.org/nbd_aio_get_direction.3.html</summary>
    [LibraryImport(Library)]
    internal static partial uint nbd_aio_get_direction(SafeNbdHandle h);

    /// <summary>See https://libguestfs.org/nbd_aio_notify_read.3.html</summary>
    [LibraryImport(Library)]
    internal static partial int nbd_aio_notify_read(SafeNbdHandle h);

    /// <summary>See https://libguestfs.org/nbd_aio_notify_write.3.html</summary>
    [LibraryImport(Library)]
    internal static partial int nbd_aio_notify_write(SafeNbdHandle h);

    /// <summary>See https://libguestfs.org/nbd_aio_is_ready.3.html</summary>
    [LibraryImport(Library)]
    internal static partial int nbd_aio_is_ready(SafeNbdHandle h);

    /// <summary>See https://libguestfs.org/nbd_aio_is_dead.3.html</summary>
    [LibraryImport(Library)]
    internal static partial int nbd_aio_is_dead(SafeNbdHandle h);

    /// <summary>See https://libguestfs.org/nbd_aio_is_closed.3.html</summary>
    [LibraryImport(Library)]
    internal static partial int nbd_aio_is_closed(SafeNbdHandle h);

    /// <summary>Passed by value; all zero is <c>NBD_NULL_COMPLETION</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct nbd_completion_callback
    {
        internal delegate* unmanaged[Cdecl]<void*, int*, int> callback;
        internal void* user_data;
        internal delegate* unmanaged[Cdecl]<void*, void> free;
    }

    /// <summary>
    /// Passed by value. <c>callback(user_data, metacontext, offset, entries, nr_entries, error)</c>; entries are pairs of
    /// length and flags.
    /// </summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct nbd_extent_callback
    {
        internal delegate* unmanaged[Cdecl]<void*, byte*, ulong, uint*, nuint, int*, int> callback;
        internal void* user_data;
        internal delegate* unmanaged[Cdecl]<void*, void> free;
    }
}
