using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Linux;

/// <summary>
/// Which file it is, whatever its path: file system and inode; of a block device its number, for a device may have several nodes, and a
/// QEMU of libvirt's has nodes of its own.
/// </summary>
/// <param name="Device">Number of the file system, or of the block device itself.</param>
/// <param name="Inode">Number of the inode; 0 for a block device.</param>
/// <param name="IsBlockDevice">It is a block device.</param>
/// <param name="IsRegularFile">It is a regular file.</param>
public readonly record struct FileIdentity(ulong Device, ulong Inode, bool IsBlockDevice, bool IsRegularFile)
{
    /// <summary>The file at a path, symbolic links followed; null when there is none, or it can't be looked at.</summary>
    /// <remarks>The file's server, if it has one, is not asked for what is known: it may not answer.</remarks>
    public static FileIdentity? Find(string path) => NativeMethods.StatX(
        NativeMethods.AT_FDCWD, path, NativeMethods.AT_STATX_DONT_SYNC, NativeMethods.STATX_TYPE | NativeMethods.STATX_INO, out statx_buffer buffer) == 0
        ? From(buffer)
        : null;

    /// <summary>An open file.</summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static FileIdentity Of(SafeFileHandle file) => NativeMethods.StatX(
        file, "", NativeMethods.AT_EMPTY_PATH | NativeMethods.AT_STATX_DONT_SYNC, NativeMethods.STATX_TYPE | NativeMethods.STATX_INO, out statx_buffer buffer) == 0
        ? From(buffer)
        : throw LinuxFile.LastError("statx", "handle");

    /// <summary>The device number that <c>major:minor</c> stands for.</summary>
    internal static ulong DeviceNumber(uint major, uint minor) => ((ulong)major << 32) | minor;

    private static FileIdentity From(in statx_buffer buffer)
    {
        int type = buffer.stx_mode & NativeMethods.S_IFMT;
        return type == NativeMethods.S_IFBLK
            ? new FileIdentity(DeviceNumber(buffer.stx_rdev_major, buffer.stx_rdev_minor), 0, true, false)
            : new FileIdentity(DeviceNumber(buffer.stx_dev_major, buffer.stx_dev_minor), buffer.stx_ino, false, type == NativeMethods.S_IFREG);
    }
}
