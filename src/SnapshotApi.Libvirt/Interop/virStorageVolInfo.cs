using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>libvirt-storage.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct virStorageVolInfo
{
    public int type;
    public ulong capacity;
    public ulong allocation;
}
