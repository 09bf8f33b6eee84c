using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Linux;

/// <summary>A block device as sysfs shows it.</summary>
internal sealed record BlockDevice(FileIdentity Identity)
{
    private string Number =>
        string.Create(CultureInfo.InvariantCulture, $"{Identity.Device >> 32}:{(uint)Identity.Device}");

    private string Directory => $"/sys/dev/block/{Number}";

    /// <summary>The device, its partitions, and the device-mapper devices on them, which write nothing.</summary>
    public static IReadOnlyList<BlockDevice> WithAllOnIt(FileIdentity device)
    {
        List<BlockDevice> all = [new(device)];
        for (int i = 0; i < all.Count; i++)
        {
            IEnumerable<string> mapped = all[i].Holders().Where(IsMapped).Select(h => $"/sys/block/{h}");
            all.AddRange(all[i].Partitions().Concat(mapped).Select(Find).OfType<BlockDevice>().Except(all));
        }

        return all;
    }

    /// <summary>What in the kernel may write to it, as the end of a sentence; null for nothing.</summary>
    public string? FindKernelWriter()
    {
        // md, bcache, drbd write to their members at any time.
        if (Holders().FirstOrDefault(h => !IsMapped(h)) is { } holder)
        {
            return $"device {holder}, of which it is a part";
        }

        Mount[] mounts = [.. Mounts.Read("self").Where(m => m.Device == Number)];
        if (mounts.Any(m => !m.IsReadOnly))
        {
            return "this host, which has it mounted";
        }

        // What lies on it has claimed it, and is looked at separately.
        return mounts.Length == 0 && Holders().Length == 0 && !Partitions().Any() && !CanClaim()
            ? "this host, which has claimed it"
            : null;
    }

    private static bool IsMapped(string holder) => holder.StartsWith("dm-", StringComparison.Ordinal);

    private static BlockDevice? Find(string directory)
    {
        string[] parts = KernelText.FirstLine($"{directory}/dev")?.Split(':') ?? [];
        return parts.Length == 2
            && uint.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out uint major)
            && uint.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint minor)
            ? new BlockDevice(new FileIdentity(FileIdentity.DeviceNumber(major, minor), 0, true, false))
            : null;
    }

    private string[] Holders() => KernelText.Names($"{Directory}/holders") ?? [];

    private IEnumerable<string> Partitions() =>
        (KernelText.Names(Directory) ?? []).Select(n => $"{Directory}/{n}").Where(d => File.Exists($"{d}/partition"));

    // O_EXCL on a device that exists: EBUSY while the kernel itself, or somebody with O_EXCL, has it.
    private bool CanClaim()
    {
        string? name = KernelText.FirstLine($"{Directory}/uevent", "DEVNAME=");
        if (name is null)
        {
            return true;
        }

        const int Flags = NativeMethods.O_RDONLY | NativeMethods.O_EXCL | NativeMethods.O_NONBLOCK;
        using SafeFileHandle? device = LinuxFile.TryOpen($"/dev/{name}", Flags, out int errno);
        return errno != Errno.EBUSY;
    }
}

internal static unsafe class LoopDevice
{
    // linux/loop.h: struct loop_info64 begins with lo_device, lo_inode, and has 232 bytes.
    private const int InfoBytes = 232;

    /// <summary>The file below a loop device; null when there is none, or it can't be asked.</summary>
    public static FileIdentity? BackingOf(string device)
    {
        using SafeFileHandle? handle = LinuxFile.TryOpen(
            device, NativeMethods.O_RDONLY | NativeMethods.O_NONBLOCK, out _);
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
        return new FileIdentity(
            FileIdentity.DeviceNumber(major, minor), BinaryPrimitives.ReadUInt64LittleEndian(info[8..]), false, true);
    }
}
