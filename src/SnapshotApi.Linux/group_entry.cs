using System.Runtime.InteropServices;

namespace SnapshotApi.Linux;

/// <summary>grp.h: <c>struct group</c> of 64-bit glibc and musl.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct group_entry
{
    public nint gr_name;
    public nint gr_passwd;
    public uint gr_gid;
    public nint gr_mem;
}
