using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>libvirt-domain.h and libvirt-qemu.h: what the agent in the guest does.</summary>
internal static unsafe partial class NativeMethods
{
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainFSFreeze(DomainHandle dom, string[]? mountpoints, uint nmountpoints, uint flags);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainFSThaw(DomainHandle dom, string[]? mountpoints, uint nmountpoints, uint flags);

    /// <summary>The array is the caller's, to be freed with <c>free</c>; each entry with virDomainFSInfoFree.</summary>
    [LibraryImport(Library)]
    internal static partial int virDomainGetFSInfo(DomainHandle dom, out virDomainFSInfo** info, uint flags);

    [LibraryImport(Library)]
    internal static partial void virDomainFSInfoFree(virDomainFSInfo* info);

    /// <summary>libvirt >= 5.10.0.</summary>
    [LibraryImport(Library)]
    internal static partial int virDomainAgentSetResponseTimeout(DomainHandle domain, int timeout, uint flags);

    /// <summary>See https://libvirt.org/html/libvirt-libvirt-qemu.html#virDomainQemuAgentCommand</summary>
    [LibraryImport(QemuLibrary, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial byte* virDomainQemuAgentCommand(DomainHandle domain, string cmd, int timeout, uint flags);
}
