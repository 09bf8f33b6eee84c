using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>Owns one reference to a <c>virConnectPtr</c>. libvirt's domains and event registrations hold their own.</summary>
internal sealed class ConnectHandle : SafeHandle
{
    /// <summary>For the marshaller, which sets the handle.</summary>
    public ConnectHandle()
        : base(nint.Zero, ownsHandle: true)
    {
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == nint.Zero;

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => NativeMethods.virConnectClose(handle) >= 0;
}

/// <summary>Owns one reference to a <c>virDomainPtr</c>, which keeps its connection alive.</summary>
internal sealed class DomainHandle : SafeHandle
{
    /// <summary>For the marshaller, which sets the handle.</summary>
    public DomainHandle()
        : base(nint.Zero, ownsHandle: true)
    {
    }

    /// <summary>Takes over a reference that libvirt handed out in an array.</summary>
    public DomainHandle(nint domain)
        : base(nint.Zero, ownsHandle: true) => SetHandle(domain);

    /// <inheritdoc/>
    public override bool IsInvalid => handle == nint.Zero;

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => NativeMethods.virDomainFree(handle) == 0;
}

/// <summary>Owns one reference to a <c>virStoragePoolPtr</c>.</summary>
internal sealed class StoragePoolHandle : SafeHandle
{
    /// <summary>For the marshaller, which sets the handle.</summary>
    public StoragePoolHandle()
        : base(nint.Zero, ownsHandle: true)
    {
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == nint.Zero;

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => NativeMethods.virStoragePoolFree(handle) == 0;
}

/// <summary>Owns one reference to a <c>virStorageVolPtr</c>.</summary>
internal sealed class StorageVolumeHandle : SafeHandle
{
    /// <summary>For the marshaller, which sets the handle.</summary>
    public StorageVolumeHandle()
        : base(nint.Zero, ownsHandle: true)
    {
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == nint.Zero;

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => NativeMethods.virStorageVolFree(handle) == 0;
}
