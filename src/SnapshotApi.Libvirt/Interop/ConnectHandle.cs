using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>Owns one reference to an object of libvirt's. The marshaller sets the handle.</summary>
internal abstract class LibvirtHandle() : SafeHandle(nint.Zero, ownsHandle: true)
{
    public override bool IsInvalid => handle == nint.Zero;
}

/// <summary>A <c>virConnectPtr</c>. libvirt's domains and event registrations hold references of their own.</summary>
internal sealed class ConnectHandle : LibvirtHandle
{
    protected override bool ReleaseHandle() => NativeMethods.virConnectClose(handle) >= 0;
}

/// <summary>A <c>virDomainPtr</c>, which keeps its connection alive.</summary>
internal sealed class DomainHandle : LibvirtHandle
{
    public DomainHandle()
    {
    }

    /// <summary>Takes over a reference that libvirt handed out in an array.</summary>
    public DomainHandle(nint domain) => SetHandle(domain);

    protected override bool ReleaseHandle() => NativeMethods.virDomainFree(handle) == 0;
}

/// <summary>A <c>virStoragePoolPtr</c>.</summary>
internal sealed class StoragePoolHandle : LibvirtHandle
{
    protected override bool ReleaseHandle() => NativeMethods.virStoragePoolFree(handle) == 0;
}

/// <summary>A <c>virStorageVolPtr</c>.</summary>
internal sealed class StorageVolumeHandle : LibvirtHandle
{
    protected override bool ReleaseHandle() => NativeMethods.virStorageVolFree(handle) == 0;
}
