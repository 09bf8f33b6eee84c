using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>libvirt-network.h. See https://libvirt.org/html/libvirt-libvirt-network.html</summary>
internal static unsafe partial class NativeMethods
{
    /// <summary>The caller frees it with virNetworkFree.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint virNetworkLookupByName(ConnectHandle conn, string name);

    [LibraryImport(Library)]
    internal static partial int virNetworkIsActive(nint net);

    [LibraryImport(Library)]
    internal static partial int virNetworkFree(nint network);
}
