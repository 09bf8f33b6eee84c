using System.Runtime.InteropServices;
using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>Finding and defining domains. The caller disposes each domain it is given.</content>
public sealed unsafe partial class LibvirtConnection
{
    /// <summary>Lists domains. The caller disposes each of them.</summary>
    /// <exception cref="LibvirtException">The call failed.</exception>
    public IReadOnlyList<LibvirtDomain> ListDomains(ListDomainsFlags flags = ListDomainsFlags.None)
    {
        int count = NativeCheck.NotNegative(
            virConnectListAllDomains(_handle, out nint* array, (uint)flags), nameof(virConnectListAllDomains));
        // First every handle is owned, then it is asked for its name: nothing leaks if that fails.
        DomainHandle[] handles = new DomainHandle[count];
        for (int index = 0; index < count; index++)
        {
            handles[index] = new DomainHandle(array[index]);
        }

        NativeMemory.Free(array);
        return Array.ConvertAll(handles, handle => new LibvirtDomain(handle));
    }

    /// <summary>Finds a domain by its UUID.</summary>
    /// <exception cref="LibvirtException"><see cref="LibvirtErrorCode.NoDomain"/>: there is none.</exception>
    public LibvirtDomain LookupByUuid(Guid uuid)
    {
        Span<byte> bytes = stackalloc byte[VIR_UUID_BUFLEN];
        uuid.TryWriteBytes(bytes, bigEndian: true, out _);
        fixed (byte* buffer = bytes)
        {
            return new LibvirtDomain(NativeCheck.Valid(virDomainLookupByUUID(_handle, buffer), nameof(virDomainLookupByUUID)));
        }
    }

    /// <summary>Finds a domain by its name.</summary>
    /// <exception cref="LibvirtException"><see cref="LibvirtErrorCode.NoDomain"/>: there is none.</exception>
    public LibvirtDomain LookupByName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return new LibvirtDomain(NativeCheck.Valid(virDomainLookupByName(_handle, name), nameof(virDomainLookupByName)));
    }

    /// <summary>Makes or changes the definition of a domain; a transient one that runs becomes persistent.</summary>
    /// <exception cref="LibvirtException">The XML is not accepted.</exception>
    public LibvirtDomain DefineXml(string xml, DefineFlags flags = DefineFlags.None)
    {
        ArgumentNullException.ThrowIfNull(xml);
        return new LibvirtDomain(
            NativeCheck.Valid(virDomainDefineXMLFlags(_handle, xml, (uint)flags), nameof(virDomainDefineXMLFlags)));
    }

    /// <summary>Starts a transient domain.</summary>
    /// <exception cref="LibvirtException">The XML is not accepted, or the domain does not start.</exception>
    public LibvirtDomain CreateXml(string xml, CreateFlags flags = CreateFlags.None)
    {
        ArgumentNullException.ThrowIfNull(xml);
        return new LibvirtDomain(NativeCheck.Valid(virDomainCreateXML(_handle, xml, (uint)flags), nameof(virDomainCreateXML)));
    }
}
