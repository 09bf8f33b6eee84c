using System.Runtime.InteropServices;

namespace SnapshotApi.Nbd.Interop;

/// <summary>Options before the connection, connecting, and what the handshake told.</summary>
internal static unsafe partial class LibNbd
{
    /// <summary>The metadata context that tells holes and zeros. See the NBD protocol, "Metadata querying".</summary>
    internal const string LIBNBD_CONTEXT_BASE_ALLOCATION = "base:allocation";

    internal const int LIBNBD_SIZE_MINIMUM = 0;
    internal const int LIBNBD_SIZE_PREFERRED = 1;
    internal const int LIBNBD_SIZE_MAXIMUM = 2;

    /// <summary>See https://libguestfs.org/nbd_set_export_name.3.html</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int nbd_set_export_name(SafeNbdHandle h, string export_name);

    /// <summary>See https://libguestfs.org/nbd_add_meta_context.3.html</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int nbd_add_meta_context(SafeNbdHandle h, string name);

    /// <summary>
    /// False: libnbd does not zero the buffer of a read before it fills it. libnbd >= 1.12.
    /// See https://libguestfs.org/nbd_set_pread_initialize.3.html
    /// </summary>
    [LibraryImport(Library)]
    internal static partial int nbd_set_pread_initialize(SafeNbdHandle h, [MarshalAs(UnmanagedType.U1)] bool request);

    /// <summary>See https://libguestfs.org/nbd_aio_connect_unix.3.html</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int nbd_aio_connect_unix(SafeNbdHandle h, string unixsocket);

    /// <summary>See https://libguestfs.org/nbd_aio_connect_uri.3.html</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int nbd_aio_connect_uri(SafeNbdHandle h, string uri);

    /// <summary>See https://libguestfs.org/nbd_get_size.3.html</summary>
    [LibraryImport(Library)]
    internal static partial long nbd_get_size(SafeNbdHandle h);

    /// <summary>See https://libguestfs.org/nbd_get_block_size.3.html</summary>
    [LibraryImport(Library)]
    internal static partial long nbd_get_block_size(SafeNbdHandle h, int size_type);

    /// <summary>See https://libguestfs.org/nbd_can_multi_conn.3.html</summary>
    [LibraryImport(Library)]
    internal static partial int nbd_can_multi_conn(SafeNbdHandle h);

    /// <summary>See https://libguestfs.org/nbd_can_meta_context.3.html</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int nbd_can_meta_context(SafeNbdHandle h, string metacontext);

    /// <summary>See https://libguestfs.org/nbd_is_read_only.3.html</summary>
    [LibraryImport(Library)]
    internal static partial int nbd_is_read_only(SafeNbdHandle h);
}
