using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary><c>struct _virDomainBlockJobInfo</c> of libvirt-domain.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct virDomainBlockJobInfo
{
    internal int type;
    internal CULong bandwidth;
    internal ulong cur;
    internal ulong end;
}
