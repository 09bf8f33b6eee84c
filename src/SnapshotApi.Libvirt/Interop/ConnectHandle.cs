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
