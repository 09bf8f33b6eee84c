using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>libvirt-storage.h: volumes of pools. See https://libvirt.org/html/libvirt-libvirt-storage.html</summary>
internal static unsafe partial class NativeMethods
{
    /// <summary>The connection stays the domain's.</summary>
    [LibraryImport(Library)] internal static partial nint virDomainGetConnect(DomainHandle dom);

    /// <summary>For the connection that a domain lends.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial StoragePoolHandle virStoragePoolLookupByName(nint conn, string name);
    [LibraryImport(Library)] internal static partial int virStoragePoolFree(nint pool);
    [LibraryImport(Library)] internal static partial int virStoragePoolIsActive(StoragePoolHandle pool);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial StorageVolumeHandle virStorageVolLookupByName(StoragePoolHandle pool, string name);
    [LibraryImport(Library)] internal static partial int virStorageVolFree(nint vol);
    [LibraryImport(Library)]
    internal static partial int virStorageVolGetInfo(StorageVolumeHandle vol, out virStorageVolInfo info);

    /// <summary>The text is the caller's.</summary>
    [LibraryImport(Library)] internal static partial byte* virStorageVolGetPath(StorageVolumeHandle vol);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint virNetworkLookupByName(ConnectHandle conn, string name);
    [LibraryImport(Library)] internal static partial int virNetworkIsActive(nint net);
    [LibraryImport(Library)] internal static partial int virNetworkFree(nint network);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint virSecretLookupByUUIDString(ConnectHandle conn, string uuid);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint virSecretLookupByUsage(ConnectHandle conn, int usageType, string usageID);
    [LibraryImport(Library)] internal static partial int virSecretFree(nint secret);
}

/// <summary>libvirt-storage.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct virStorageVolInfo
{
    public int type;
    public ulong capacity;
    public ulong allocation;
}
