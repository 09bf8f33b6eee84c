using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>libvirt-domain.h. See https://libvirt.org/html/libvirt-libvirt-domain.html</summary>
internal static unsafe partial class NativeMethods
{
    [LibraryImport(Library)] internal static partial int virDomainFree(nint domain);

    /// <summary>libvirt-host.h. The caller frees it.</summary>
    [LibraryImport(Library)] internal static partial byte* virConnectGetCapabilities(ConnectHandle conn);

    /// <summary>The array is the caller's, to be freed with <c>free</c>, and so is each domain in it.</summary>
    [LibraryImport(Library)]
    internal static partial int virConnectListAllDomains(ConnectHandle conn, out nint* domains, uint flags);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial byte* virConnectGetDomainCapabilities(
        ConnectHandle conn, string? emulatorbin, string? arch, string? machine, string? virttype, uint flags);
    [LibraryImport(Library)] internal static partial DomainHandle virDomainLookupByUUID(ConnectHandle conn, byte* uuid);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial DomainHandle virDomainLookupByName(ConnectHandle conn, string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial DomainHandle virDomainDefineXMLFlags(ConnectHandle conn, string xml, uint flags);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial DomainHandle virDomainCreateXML(ConnectHandle conn, string xmlDesc, uint flags);
    [LibraryImport(Library)] internal static partial int virDomainGetUUID(DomainHandle domain, byte* uuid);

    /// <summary>For a domain that libvirt lends to an event callback.</summary>
    [LibraryImport(Library, EntryPoint = "virDomainGetUUID")]
    internal static partial int virDomainGetUUID_Borrowed(nint domain, byte* uuid);

    /// <summary>The text belongs to the domain.</summary>
    [LibraryImport(Library)] internal static partial byte* virDomainGetName(DomainHandle domain);

    /// <summary>For a domain that libvirt lends to an event callback.</summary>
    [LibraryImport(Library, EntryPoint = "virDomainGetName")]
    internal static partial byte* virDomainGetName_Borrowed(nint domain);
    [LibraryImport(Library)] internal static partial int virDomainIsPersistent(DomainHandle dom);
    [LibraryImport(Library)] internal static partial int virDomainIsActive(DomainHandle dom);
    [LibraryImport(Library)]
    internal static partial int virDomainGetState(DomainHandle domain, out int state, out int reason, uint flags);
    [LibraryImport(Library)]
    internal static partial int virDomainGetControlInfo(DomainHandle domain, out virDomainControlInfo info, uint flags);
    [LibraryImport(Library)] internal static partial int virDomainGetAutostart(DomainHandle domain, out int autostart);
    [LibraryImport(Library)] internal static partial int virDomainSetAutostart(DomainHandle domain, int autostart);
    [LibraryImport(Library)] internal static partial byte* virDomainGetXMLDesc(DomainHandle domain, uint flags);
    [LibraryImport(Library)] internal static partial int virDomainHasManagedSaveImage(DomainHandle dom, uint flags);
    [LibraryImport(Library)] internal static partial int virDomainManagedSave(DomainHandle dom, uint flags);

    /// <summary>libvirt >= 3.7.0. The caller frees it.</summary>
    [LibraryImport(Library)]
    internal static partial byte* virDomainManagedSaveGetXMLDesc(DomainHandle domain, uint flags);
    [LibraryImport(Library)] internal static partial int virDomainCreateWithFlags(DomainHandle domain, uint flags);
    [LibraryImport(Library)] internal static partial int virDomainSuspend(DomainHandle domain);
    [LibraryImport(Library)] internal static partial int virDomainResume(DomainHandle domain);
    [LibraryImport(Library)] internal static partial int virDomainDestroyFlags(DomainHandle domain, uint flags);
    [LibraryImport(Library)] internal static partial int virDomainUndefineFlags(DomainHandle domain, uint flags);

    /// <summary>See https://libvirt.org/html/libvirt-libvirt-qemu.html#virDomainQemuAgentCommand</summary>
    [LibraryImport(QemuLibrary, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial byte* virDomainQemuAgentCommand(DomainHandle domain, string cmd, int timeout, uint flags);

    internal const string VIR_DOMAIN_BLOCK_COPY_BANDWIDTH = "bandwidth";

    /// <summary>libvirt >= 1.2.8.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainBlockCopy(
        DomainHandle dom, string disk, string destxml, virTypedParameter* @params, int nparams, uint flags);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainBlockRebase(
        DomainHandle dom, string disk, string? @base, CULong bandwidth, uint flags);

    /// <summary>1: a job was found, 0: none.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainGetBlockJobInfo(
        DomainHandle dom, string disk, out virDomainBlockJobInfo info, uint flags);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainBlockJobAbort(DomainHandle dom, string disk, uint flags);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainBlockJobSetSpeed(DomainHandle dom, string disk, CULong bandwidth, uint flags);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainBlockStats(
        DomainHandle dom, string disk, out virDomainBlockStatsStruct stats, nuint size);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainGetBlockInfo(
        DomainHandle dom, string disk, out virDomainBlockInfo info, uint flags);

    internal const uint VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL = 1;

    /// <summary>libvirt >= 6.0.0.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainBackupBegin(
        DomainHandle domain, string backupXML, string? checkpointXML, uint flags);

    /// <summary>libvirt >= 6.0.0.</summary>
    [LibraryImport(Library)] internal static partial byte* virDomainBackupGetXMLDesc(DomainHandle domain, uint flags);
    [LibraryImport(Library)] internal static partial int virDomainAbortJob(DomainHandle dom);

    /// <summary>The parameters are the caller's, to be freed with virTypedParamsFree.</summary>
    [LibraryImport(Library)]
    internal static partial int virDomainGetJobStats(
        DomainHandle domain, out int type, out virTypedParameter* @params, out int nparams, uint flags);

    internal const int VIR_DOMAIN_EVENT_ID_LIFECYCLE = 0;
    internal const int VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON = 6;
    internal const int VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2 = 16;
    internal const int VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE = 18;

    /// <param name="conn">The registration keeps it alive until it is removed.</param>
    /// <param name="dom">Null: events of every domain.</param>
    /// <param name="eventID">VIR_DOMAIN_EVENT_ID_*, which decides the real type of <paramref name="cb"/>.</param>
    /// <param name="freecb">Called once, when no more callback can come.</param>
    [LibraryImport(Library)]
    internal static partial int virConnectDomainEventRegisterAny(
        ConnectHandle conn, nint dom, int eventID, void* cb, void* opaque,
        delegate* unmanaged[Cdecl]<void*, void> freecb);
    [LibraryImport(Library)]
    internal static partial int virConnectDomainEventDeregisterAny(ConnectHandle conn, int callbackID);
}

/// <summary><c>struct _virDomainBlockInfo</c> of libvirt-domain.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct virDomainBlockInfo
{
    internal ulong capacity;
    internal ulong allocation;
    internal ulong physical;
}

/// <summary><c>struct _virDomainBlockStats</c> of libvirt-domain.h; -1: not known.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct virDomainBlockStatsStruct
{
    internal long rd_req;
    internal long rd_bytes;
    internal long wr_req;
    internal long wr_bytes;
    internal long errs;
}

/// <summary><c>struct _virDomainBlockJobInfo</c> of libvirt-domain.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct virDomainBlockJobInfo
{
    internal int type;
    internal CULong bandwidth;
    internal ulong cur;
    internal ulong end;
}

/// <summary><c>struct _virDomainControlInfo</c> of libvirt-domain.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct virDomainControlInfo
{
    internal uint state;
    internal uint details;
    internal ulong stateTime;
}
