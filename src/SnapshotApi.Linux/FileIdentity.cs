using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Linux;

/// <summary>
/// Which file it is, whatever its path: file system and inode; of a block device its number, for a device may have
/// several nodes, and libvirt gives each QEMU nodes of its own.
/// </summary>
/// <param name="Device">Number of the file system, or of the block device itself.</param>
/// <param name="Inode">0 for a block device.</param>
public readonly record struct FileIdentity(ulong Device, ulong Inode, bool IsBlockDevice, bool IsRegularFile)
{
    /// <summary>It is a unix socket.</summary>
    public bool IsSocket { get; private init; }

    private const uint Mask = NativeMethods.STATX_TYPE | NativeMethods.STATX_INO;

    // What is known is not asked again of the file's server, which may not answer.
    private const int Flags = NativeMethods.AT_STATX_DONT_SYNC;

    /// <summary>The file at a path, links followed; null when there is none, or it can't be looked at.</summary>
    public static FileIdentity? Find(string path) =>
        NativeMethods.StatX(NativeMethods.AT_FDCWD, path, Flags, Mask, out statx_buffer buffer) == 0
            ? From(buffer)
            : null;

    /// <exception cref="IOException">The kernel refused.</exception>
    public static FileIdentity Of(SafeFileHandle file) =>
        NativeMethods.StatX(file, "", NativeMethods.AT_EMPTY_PATH | Flags, Mask, out statx_buffer buffer) == 0
            ? From(buffer)
            : throw LinuxFile.LastError("statx", "handle");

    /// <summary>The device number that <c>major:minor</c> stands for.</summary>
    internal static ulong DeviceNumber(uint major, uint minor) => ((ulong)major << 32) | minor;

    private static FileIdentity From(in statx_buffer buffer)
    {
        int type = buffer.stx_mode & NativeMethods.S_IFMT;
        if (type == NativeMethods.S_IFBLK)
        {
            return new FileIdentity(DeviceNumber(buffer.stx_rdev_major, buffer.stx_rdev_minor), 0, true, false);
        }

        ulong fileSystem = DeviceNumber(buffer.stx_dev_major, buffer.stx_dev_minor);
        return new FileIdentity(fileSystem, buffer.stx_ino, false, type == NativeMethods.S_IFREG)
        {
            IsSocket = type == NativeMethods.S_IFSOCK,
        };
    }
}
