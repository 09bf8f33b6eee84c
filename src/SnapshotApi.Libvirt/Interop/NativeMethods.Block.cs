using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>libvirt-domain.h: block devices, block jobs, backup jobs and domain jobs.</summary>
internal static unsafe partial class NativeMethods
{
    internal const string VIR_DOMAIN_BLOCK_COPY_BANDWIDTH = "bandwidth";
    internal const string VIR_DOMAIN_BLOCK_COPY_GRANULARITY = "granularity";

    /// <summary>libvirt >= 1.2.8.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainBlockCopy(
        DomainHandle dom, string disk, string destxml, virTypedParameter* @params, int nparams, uint flags);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainBlockRebase(DomainHandle dom, string disk, string? @base, CULong bandwidth, uint flags);

    /// <summary>1: a job was found, 0: none.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainGetBlockJobInfo(DomainHandle dom, string disk, out virDomainBlockJobInfo info, uint flags);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainBlockJobAbort(DomainHandle dom, string disk, uint flags);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainBlockJobSetSpeed(DomainHandle dom, string disk, CULong bandwidth, uint flags);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainGetBlockInfo(DomainHandle dom, string disk, out virDomainBlockInfo info, uint flags);

    /// <summary>libvirt >= 6.0.0.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int virDomainBackupBegin(DomainHandle domain, string backupXML, string? checkpointXML, uint flags);

    /// <summary>libvirt >= 6.0.0.</summary>
    [LibraryImport(Library)]
    internal static partial byte* virDomainBackupGetXMLDesc(DomainHandle domain, uint flags);

    [LibraryImport(Library)]
    internal static partial int virDomainAbortJob(DomainHandle dom);

    /// <summary>The parameters are the caller's, to be freed with virTypedParamsFree.</summary>
    [LibraryImport(Library)]
    internal static partial int virDomainGetJobStats(
        DomainHandle domain, out int type, out virTypedParameter* @params, out int nparams, uint flags);
}
