using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>
/// libvirt-domain.h: finding, defining, describing and running domains. See https://libvirt.org/html/libvirt-libvirt-domain.html
/// </summary>
internal static unsafe partial class NativeMethods
{
    internal const int VIR_DOMAIN_METADATA_ELEMENT = 2;

    [LibraryImport(Library)]
    internal static partial int virDomainFree(nint domain);

    /// <summary>The array is the caller's, to be freed with <c>free</c>, and so is each domain in it.</summary>
    [LibraryImport(Library)]
    internal static partial int virConnectListAllDomains(ConnectHandle conn, out nint* domains, uint flags);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial byte* virConnectGetDomainCapabilities(
        ConnectHandle conn, string? emulatorbin, string? arch, string? machine, string? virttype, uint flags);

    [LibraryImport(Library)]
    internal static partial DomainHandle virDomainLookupByUUID(ConnectHandle conn, byte* uuid);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial DomainHandle virDomainLookupByName(ConnectHandle conn, string name);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial DomainHandle virDomainDefineXMLFlags(ConnectHandle conn, string xml, uint flags);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial DomainHandle virDomainCreateXML(ConnectHandle conn, string xmlDesc, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainGetUUID(DomainHandle domain, byte* uuid);

    /// <summary>For a domain that libvirt lends to an event callback.</summary>
    [LibraryImport(Library, EntryPoint = "virDomainGetUUID")]
    internal static partial int virDomainGetUUID_Borrowed(nint domain, byte* uuid);

    /// <summary>The text belongs to the domain.</summary>
    [LibraryImport(Library)]
    internal static partial byte* virDomainGetName(DomainHandle domain);

    /// <summary>For a domain that libvirt lends to an event callback.</summary>
    [LibraryImport(Library, EntryPoint = "virDomainGetName")]
    internal static partial byte* virDomainGetName_Borrowed(nint domain);

    [LibraryImport(Library)]
    internal static partial uint virDomainGetID(DomainHandle domain);

    [LibraryImport(Library)]
    internal static partial int virDomainIsPersistent(DomainHandle dom);

    [LibraryImport(Library)]
    internal static partial int virDomainIsActive(DomainHandle dom);

    [LibraryImport(Library)]
    internal static partial int virDomainGetState(DomainHandle domain, out int state, out int reason, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainGetControlInfo(DomainHandle domain, out virDomainControlInfo info, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainGetAutostart(DomainHandle domain, out int autostart);

    [LibraryImport(Library)]
    internal static partial int virDomainSetAutostart(DomainHandle domain, int autostart);

    [LibraryImport(Library)]
    internal static partial byte* virDomainGetXMLDesc(DomainHandle domain, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainHasManagedSaveImage(DomainHandle dom, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainManagedSave(DomainHandle dom, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainManagedSaveRemove(DomainHandle dom, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainCreateWithFlags(DomainHandle domain, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainSuspend(DomainHandle domain);

    [LibraryImport(Library)]
    internal static partial int virDomainResume(DomainHandle domain);

    [LibraryImport(Library)]
    internal static partial int virDomainShutdownFlags(DomainHandle domain, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainReboot(DomainHandle domain, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainDestroyFlags(DomainHandle domain, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainUndefineFlags(DomainHandle domain, uint flags);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainSetMetadata(
        DomainHandle domain, int type, string? metadata, string? key, string? uri, uint flags);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial byte* virDomainGetMetadata(DomainHandle domain, int type, string? uri, uint flags);
}
