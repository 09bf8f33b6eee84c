using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary><c>struct _virDomainBlockInfo</c> of libvirt-domain.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct virDomainBlockInfo
{
    internal ulong capacity;
    internal ulong allocation;
    internal ulong physical;
}
