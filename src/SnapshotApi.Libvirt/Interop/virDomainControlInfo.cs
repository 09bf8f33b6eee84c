using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary><c>struct _virDomainControlInfo</c> of libvirt-domain.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct virDomainControlInfo
{
    internal uint state;
    internal uint details;
    internal ulong stateTime;
}
