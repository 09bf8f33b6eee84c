using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Linux;

/// <summary>Raw imports of glibc, x86_64 and aarch64. Names and values are those of the C headers.</summary>
internal static partial class NativeMethods
{
    private const string LibC = "libc";

    // linux/fs.h: _IOW(0x94, 9, int)
    internal const ulong FICLONE = 0x40049409;

    // linux/fs.h: _IOW(0x94, 13, struct file_clone_range)
    internal const ulong FICLONERANGE = 0x4020940D;

    internal const int SEEK_DATA = 3;
    internal const int SEEK_HOLE = 4;

    internal const int POSIX_FADV_SEQUENTIAL = 2;

    // sys/resource.h
    internal const int PRIO_PROCESS = 0;

    internal const int O_RDONLY = 0;
    internal const int O_RDWR = 2;
    internal const int O_CREAT = 0x40;
    internal const int O_EXCL = 0x80;
    internal const int O_CLOEXEC = 0x80000;
    internal static readonly int O_DIRECTORY = IsArm ? 0x4000 : 0x10000;
    internal static readonly int O_NOFOLLOW = IsArm ? 0x8000 : 0x20000;

    internal const int ENXIO = 6;
    internal const int EXDEV = 18;
    internal const int EINVAL = 22;
    internal const int ENOTTY = 25;
    internal const int ENOSPC = 28;
    internal const int EOPNOTSUPP = 95;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    // https://man7.org/linux/man-pages/man2/open.2.html
    [LibraryImport(LibC, EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Open(string path, int flags, uint mode);

    // https://man7.org/linux/man-pages/man2/fsync.2.html
    [LibraryImport(LibC, EntryPoint = "fsync", SetLastError = true)]
    internal static partial int FSync(SafeFileHandle fd);

    // https://man7.org/linux/man-pages/man2/ioctl_ficlonerange.2.html
    [LibraryImport(LibC, EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int Ioctl(SafeFileHandle fd, ulong request, int argument);

    // https://man7.org/linux/man-pages/man2/ioctl_ficlonerange.2.html
    [LibraryImport(LibC, EntryPoint = "ioctl", SetLastError = true)]
    internal static unsafe partial int Ioctl(SafeFileHandle fd, ulong request, file_clone_range* argument);

    // https://man7.org/linux/man-pages/man2/copy_file_range.2.html
    [LibraryImport(LibC, EntryPoint = "copy_file_range", SetLastError = true)]
    internal static unsafe partial nint CopyFileRange(
        SafeFileHandle fdIn, long* offIn, SafeFileHandle fdOut, long* offOut, nuint length, uint flags);

    // https://man7.org/linux/man-pages/man2/setpriority.2.html
    [LibraryImport(LibC, EntryPoint = "getpriority", SetLastError = true)]
    internal static partial int GetPriority(int which, uint who);

    // https://man7.org/linux/man-pages/man2/setpriority.2.html
    [LibraryImport(LibC, EntryPoint = "setpriority", SetLastError = true)]
    internal static partial int SetPriority(int which, uint who, int value);

    // https://man7.org/linux/man-pages/man2/posix_fadvise.2.html
    [LibraryImport(LibC, EntryPoint = "posix_fadvise")]
    internal static partial int PosixFAdvise(SafeFileHandle fd, long offset, long length, int advice);

    // https://man7.org/linux/man-pages/man2/lseek.2.html
    [LibraryImport(LibC, EntryPoint = "lseek", SetLastError = true)]
    internal static partial long LSeek(SafeFileHandle fd, long offset, int whence);

    // https://man7.org/linux/man-pages/man2/lchown.2.html
    [LibraryImport(LibC, EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int LChown(string path, uint owner, uint group);
}
