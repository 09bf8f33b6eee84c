using System.Runtime.InteropServices;

namespace SnapshotApi.Nbd.Interop;

/// <summary>
/// The raw imports of libnbd, by area: this part holds the handle and its errors. Names, types and constants are those
/// of <c>libnbd.h</c>; every call fits libnbd 1.14.
/// Source: https://libguestfs.org/libnbd.3.html
/// </summary>
internal static unsafe partial class LibNbd
{
    private const string Library = "libnbd.so.0";

    /// <summary>See https://libguestfs.org/nbd_create.3.html</summary>
    [LibraryImport(Library)]
    internal static partial SafeNbdHandle nbd_create();

    /// <summary>Closes the socket and frees every command still in flight. See https://libguestfs.org/nbd_close.3.html</summary>
    [LibraryImport(Library)]
    internal static partial void nbd_close(nint h);

    /// <summary>
    /// The message of the last failed call of this thread; owned by libnbd. See https://libguestfs.org/nbd_get_error.3.html
    /// </summary>
    [LibraryImport(Library)]
    internal static partial byte* nbd_get_error();

    /// <summary>The errno of the last failed call of this thread, 0 if unknown. See https://libguestfs.org/nbd_get_errno.3.html</summary>
    [LibraryImport(Library)]
    internal static partial int nbd_get_errno();
}
