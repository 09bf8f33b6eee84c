using System.Runtime.InteropServices;

namespace SnapshotApi.Nbd.Interop;

/// <summary>Owns one <c>struct nbd_handle</c>; releasing it closes the connection.</summary>
internal sealed class SafeNbdHandle : SafeHandle
{
    public SafeNbdHandle()
        : base(0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        LibNbd.nbd_close(handle);
        return true;
    }
}
