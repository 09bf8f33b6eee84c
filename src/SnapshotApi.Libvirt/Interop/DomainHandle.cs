using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

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
