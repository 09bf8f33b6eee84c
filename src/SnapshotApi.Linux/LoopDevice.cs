using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Linux;

/// <summary>What a loop device stands on.</summary>
internal static unsafe class LoopDevice
{
    // linux/loop.h: struct loop_info64 begins with lo_device, lo_inode, and has 232 bytes.
    private const int InfoBytes = 232;

    /// <summary>The file below a loop device; null when it has none, or can't be asked.</summary>
    public static FileIdentity? BackingOf(string device)
    {
        using SafeFileHandle? handle = LinuxFile.TryOpen(device, NativeMethods.O_RDONLY | NativeMethods.O_NONBLOCK, out _);
        if (handle is null)
        {
            return null;
        }

        Span<byte> info = stackalloc byte[InfoBytes];
        fixed (byte* bytes = info)
        {
            if (NativeMethods.Ioctl(handle, NativeMethods.LOOP_GET_STATUS64, bytes) != 0)
            {
                return null;
            }
        }

        // huge_encode_dev: twelve bits of major between the low eight and the high twelve of the minor.
        ulong encoded = BinaryPrimitives.ReadUInt64LittleEndian(info);
        uint major = (uint)((encoded >> 8) & 0xFFF);
        uint minor = (uint)((encoded & 0xFF) | ((encoded >> 12) & 0xFFF00));
        return new FileIdentity(FileIdentity.DeviceNumber(major, minor), BinaryPrimitives.ReadUInt64LittleEndian(info[8..]), false, true);
    }
}
