using System.Runtime.InteropServices;

namespace SnapshotApi.Linux;

/// <summary>linux/stat.h: <c>struct statx</c>, with the members that are asked for.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct statx_buffer
{
    [FieldOffset(28)]
    public ushort stx_mode;

    [FieldOffset(32)]
    public ulong stx_ino;

    [FieldOffset(128)]
    public uint stx_rdev_major;

    [FieldOffset(132)]
    public uint stx_rdev_minor;

    [FieldOffset(136)]
    public uint stx_dev_major;

    [FieldOffset(140)]
    public uint stx_dev_minor;
}
