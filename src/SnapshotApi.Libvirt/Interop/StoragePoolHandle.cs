using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

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
