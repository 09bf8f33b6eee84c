using System.Runtime.InteropServices;

namespace SnapshotApi.Linux;

/// <summary>fcntl.h: <c>struct flock</c> of 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct flock_range
{
    public short l_type;
    public short l_whence;
    public long l_start;
    public long l_len;
    public int l_pid;
}
