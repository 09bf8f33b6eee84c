using System.Buffers;
using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Linux;

/// <summary>File operations that .NET lacks; all block. The inner <see cref="Win32Exception"/> has the errno.</summary>
public static class LinuxFile
{
    /// <summary>Mode 0700: a directory of the service, closed to everyone else.</summary>
    public const UnixFileMode PrivateDirectory =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // Of one copy_file_range: large enough to be cheap, small enough to notice a cancellation at once.
    private const int CopyStepBytes = 64 << 20;

    // A multiple of every block size that Linux mounts.
    private const int CloneProbeBytes = 64 << 10;

    /// <summary>Opens a file or block device for reading; symbolic links, such as /dev/VG/LV, are followed.</summary>
    public static SafeFileHandle OpenReadFollowing(string path) => Open(path, NativeMethods.O_RDONLY, 0);

    /// <summary>Creates a file with mode 0600 that must not exist, following no symbolic link.</summary>
    public static SafeFileHandle CreateNew(string path) =>
        Open(
            path, NativeMethods.O_RDWR | NativeMethods.O_CREAT | NativeMethods.O_EXCL | NativeMethods.O_NOFOLLOW,
            0x180);

    /// <summary>Makes creates, renames and deletes in a directory durable.</summary>
    public static void SyncDirectory(string path)
    {
        using SafeFileHandle handle = Open(path, NativeMethods.O_RDONLY | NativeMethods.O_DIRECTORY, 0);
        if (NativeMethods.FSync(handle) != 0)
        {
            throw LastError("fsync", path);
        }
    }

    /// <summary>Gives a file a second name on its file system, unless something has that name.</summary>
    /// <returns>Whether it has it; of several that try at once one has.</returns>
    /// <exception cref="IOException">It can't be given.</exception>
    public static bool TryLink(string path, string name)
    {
        if (NativeMethods.Link(path, name) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() == Errno.EEXIST ? false : throw LastError("link", name);
    }

    /// <summary>Gives a file or directory to a user and group; a symbolic link itself, not its target.</summary>
    public static void ChangeOwner(string path, uint userId, uint groupId)
    {
        if (NativeMethods.LChown(path, userId, groupId) != 0)
        {
            throw LastError("lchown", path);
        }
    }

    /// <summary>Gives the file at a path to a user and group if it is still the one that is meant.</summary>
    /// <returns>False: another file, or a link, is there.</returns>
    /// <exception cref="IOException">Nothing is there, or the file system has no owners.</exception>
    public static bool TryChangeOwner(string path, FileIdentity file, uint userId, uint groupId)
    {
        using SafeFileHandle handle = Open(path, NativeMethods.O_PATH | NativeMethods.O_NOFOLLOW, 0);
        if (FileIdentity.Of(handle) != file)
        {
            return false;
        }

        return NativeMethods.FChownAt(handle, "", userId, groupId, NativeMethods.AT_EMPTY_PATH) == 0
            ? true
            : throw LastError("fchownat", path);
    }

    /// <summary>The user and the group that a file belongs to, links followed.</summary>
    public static (uint User, uint Group) OwnerOf(string path) => NativeMethods.StatX(
        NativeMethods.AT_FDCWD,
        path,
        0,
        NativeMethods.STATX_UID | NativeMethods.STATX_GID,
        out statx_buffer buffer) == 0
        ? (buffer.stx_uid, buffer.stx_gid)
        : throw LastError("statx", path);

    /// <summary>Gives a file or socket to a group; its owner stays.</summary>
    /// <returns>False: this process may not, or its user namespace has no such group.</returns>
    public static bool TryChangeGroup(string path, uint groupId)
    {
        const uint same = uint.MaxValue;
        return NativeMethods.LChown(path, same, groupId) == 0
            || (Marshal.GetLastPInvokeError() is Errno.EPERM or Errno.EINVAL ? false : throw LastError("lchown", path));
    }

    /// <summary>Lets the destination share all extents of the source (XFS, btrfs: milliseconds).</summary>
    /// <returns>False: the file system, or the pair of them, can't.</returns>
    public static bool TryClone(SafeFileHandle source, SafeFileHandle destination)
    {
        if (NativeMethods.Ioctl(destination, NativeMethods.FICLONE, (int)source.DangerousGetHandle()) == 0)
        {
            return true;
        }

        return IsRefusal(Marshal.GetLastPInvokeError()) ? false : throw LastError("ioctl(FICLONE)", "clone");
    }

    /// <summary>
    /// Tries whether <see cref="TryClone"/> would succeed, by a clone of the beginning: a clone of all would have every
    /// block of a file in use copied at its next write, and deleting it takes time that grows with the file's extents.
    /// </summary>
    /// <param name="source">Not empty.</param>
    /// <param name="destination">Empty; holds the beginning of the source afterwards.</param>
    public static unsafe bool CanClone(SafeFileHandle source, SafeFileHandle destination)
    {
        var range = new file_clone_range
        {
            src_fd = (int)source.DangerousGetHandle(),
            src_length = GetLength(source) > CloneProbeBytes ? CloneProbeBytes : 0UL,
        };
        return NativeMethods.Ioctl(destination, NativeMethods.FICLONERANGE, &range) == 0
            || (IsRefusal(Marshal.GetLastPInvokeError()) ? false : throw LastError("ioctl(FICLONERANGE)", "clone"));
    }

    /// <summary>Copies a file or block device into an empty file, keeping holes.</summary>
    /// <param name="destination">Gets exactly the length.</param>
    /// <param name="advanced">Called with the bytes of data copied since the last call, holes left out.</param>
    /// <param name="cancellationToken">Checked at least every 64 MiB.</param>
    public static void CopySparse(
        SafeFileHandle source, SafeFileHandle destination, long lengthBytes, Action<long>? advanced,
        CancellationToken cancellationToken)
    {
        // Doubles the read-ahead: QEMU writes past the page cache, so the source is mostly not in it. 1.4 s instead of
        // 1.8 s for 1 GiB on ext4; more threads, or direct I/O, gained nothing there.
        _ = NativeMethods.PosixFAdvise(source, 0, 0, NativeMethods.POSIX_FADV_SEQUENTIAL);
        RandomAccess.SetLength(destination, lengthBytes);
        long offset = 0;
        while (offset < lengthBytes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (long dataStart, long dataEnd) = NextData(source, offset, lengthBytes);
            offset = dataStart;
            while (offset < dataEnd)
            {
                cancellationToken.ThrowIfCancellationRequested();
                long copied = CopyStep(source, destination, offset, (int)Math.Min(CopyStepBytes, dataEnd - offset));
                offset += copied;
                advanced?.Invoke(copied);
            }
        }
    }

    /// <summary>Bytes of data, holes left out, that <see cref="CopySparse"/> would copy.</summary>
    public static long CountData(SafeFileHandle source, long lengthBytes)
    {
        long total = 0;
        for (long offset = 0; offset < lengthBytes;)
        {
            (long start, long end) = NextData(source, offset, lengthBytes);
            total += end - start;
            offset = end;
        }

        return total;
    }

    /// <summary>Length in bytes of a regular file or block device.</summary>
    public static long GetLength(SafeFileHandle file)
    {
        long end = NativeMethods.LSeek(file, 0, 2);
        return end >= 0 ? end : throw LastError("lseek", "length");
    }

    /// <summary>The path of an open file, without symbolic links and <c>..</c>; null when it was deleted.</summary>
    public static string? FindPath(SafeFileHandle file)
    {
        int descriptor = (int)file.DangerousGetHandle();
        string link = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{descriptor}");
        string? path = new FileInfo(link).LinkTarget;
        return path is not null && FileIdentity.Find(path) == FileIdentity.Of(file) ? path : null;
    }

    // EAGAIN: ZFS 2.2.0 to 2.2.2, of blocks that are not on disk yet. EPERM: immutable files. ETXTBSY: swap files.
    internal static bool IsRefusal(int errno) => errno is
        Errno.EOPNOTSUPP or Errno.EXDEV or Errno.EINVAL or Errno.ENOTTY
        or Errno.EAGAIN or Errno.EPERM or Errno.ETXTBSY;

    private static (long Start, long End) NextData(SafeFileHandle source, long offset, long length)
    {
        long start = NativeMethods.LSeek(source, offset, NativeMethods.SEEK_DATA);
        if (start < 0)
        {
            // ENXIO: a hole up to the end. Anything else (a block device): all is data.
            return Marshal.GetLastPInvokeError() == Errno.ENXIO ? (length, length) : (offset, length);
        }

        long end = NativeMethods.LSeek(source, start, NativeMethods.SEEK_HOLE);
        return (Math.Min(start, length), end < 0 ? length : Math.Min(end, length));
    }

    private static unsafe long CopyStep(SafeFileHandle source, SafeFileHandle destination, long offset, int length)
    {
        long from = offset;
        long to = offset;
        nint copied = NativeMethods.CopyFileRange(source, &from, destination, &to, (nuint)length, 0);
        if (copied > 0)
        {
            return copied;
        }

        int errno = copied < 0 ? Marshal.GetLastPInvokeError() : 0;
        if (errno == Errno.ENOSPC)
        {
            throw LastError("copy_file_range", "copy");
        }

        // Block devices and some pairs of file systems (EXDEV, EINVAL, or 0 bytes from a device): through a buffer.
        return CopyBuffered(source, destination, offset, Math.Min(length, 4 << 20));
    }

    private static long CopyBuffered(SafeFileHandle source, SafeFileHandle destination, long offset, int length)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            int read = RandomAccess.Read(source, buffer.AsSpan(0, length), offset);
            if (read == 0)
            {
                throw new EndOfStreamException("the source became shorter while it was copied");
            }

            RandomAccess.Write(destination, buffer.AsSpan(0, read), offset);
            return read;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    internal static SafeFileHandle Open(string path, int flags, uint mode)
    {
        int fd = NativeMethods.Open(path, flags | NativeMethods.O_CLOEXEC, mode);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw LastError("open", path);
    }

    internal static SafeFileHandle? TryOpen(string path, int flags, out int errno)
    {
        int fd = NativeMethods.Open(path, flags | NativeMethods.O_CLOEXEC, 0);
        errno = fd < 0 ? Marshal.GetLastPInvokeError() : 0;
        return fd < 0 ? null : new SafeFileHandle(fd, ownsHandle: true);
    }

    internal static IOException LastError(string function, string path)
    {
        var error = new Win32Exception(Marshal.GetLastPInvokeError());
        return new IOException($"{function} {path}: {error.Message}", error);
    }
}
