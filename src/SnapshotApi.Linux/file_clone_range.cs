using System.Runtime.InteropServices;

namespace SnapshotApi.Linux;

/// <summary>linux/fs.h: which part of which file is to be cloned to where. A length of 0: up to the end.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct file_clone_range
{
    public long src_fd;
    public ulong src_offset;
    public ulong src_length;
    public ulong dest_offset;
}
