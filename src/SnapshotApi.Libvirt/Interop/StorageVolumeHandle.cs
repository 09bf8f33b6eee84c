using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

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
