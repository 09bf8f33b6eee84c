using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary><c>struct _virDomainFSInfo</c> of libvirt-domain.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct virDomainFSInfo
{
    internal byte* mountpoint;
    internal byte* name;
    internal byte* fstype;
    internal nuint ndevAlias;
    internal byte** devAlias;
}
