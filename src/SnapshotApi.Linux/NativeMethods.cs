using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Linux;

/// <summary>
/// Raw imports of glibc, x86_64 and aarch64, with the names and values of the C headers. Each function has a page below
/// https://man7.org/linux/man-pages/
/// </summary>
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
    internal const int O_NONBLOCK = 0x800;
    internal const int O_CLOEXEC = 0x80000;
    internal static readonly int O_DIRECTORY = IsArm ? 0x4000 : 0x10000;
    internal static readonly int O_NOFOLLOW = IsArm ? 0x8000 : 0x20000;
    internal const int O_PATH = 0x200000;

    // linux/stat.h, linux/fcntl.h
    internal const int AT_FDCWD = -100;
    internal const int AT_EMPTY_PATH = 0x1000;
    internal const int AT_STATX_DONT_SYNC = 0x4000;
    internal const uint STATX_TYPE = 0x1;
    internal const uint STATX_UID = 0x8;
    internal const uint STATX_GID = 0x10;
    internal const uint STATX_INO = 0x100;
    internal const int S_IFMT = 0xF000;
    internal const int S_IFBLK = 0x6000;
    internal const int S_IFREG = 0x8000;
    internal const int S_IFSOCK = 0xC000;

    // linux/fcntl.h: locks that belong to the open file, not to the process
    internal const int F_OFD_GETLK = 36;
    internal const int F_OFD_SETLK = 37;
    internal const short F_RDLCK = 0;
    internal const short F_WRLCK = 1;
    internal const short F_UNLCK = 2;

    // linux/loop.h
    internal const ulong LOOP_GET_STATUS64 = 0x4C05;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    [LibraryImport(LibC, EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Open(string path, int flags, uint mode);
    [LibraryImport(LibC, EntryPoint = "fsync", SetLastError = true)]
    internal static partial int FSync(SafeFileHandle fd);

    // ioctl_ficlonerange(2)
    [LibraryImport(LibC, EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int Ioctl(SafeFileHandle fd, ulong request, int argument);
    [LibraryImport(LibC, EntryPoint = "ioctl", SetLastError = true)]
    internal static unsafe partial int Ioctl(SafeFileHandle fd, ulong request, file_clone_range* argument);
    [LibraryImport(LibC, EntryPoint = "copy_file_range", SetLastError = true)]
    internal static unsafe partial nint CopyFileRange(
        SafeFileHandle fdIn, long* offIn, SafeFileHandle fdOut, long* offOut, nuint length, uint flags);
    [LibraryImport(LibC, EntryPoint = "getpriority", SetLastError = true)]
    internal static partial int GetPriority(int which, uint who);
    [LibraryImport(LibC, EntryPoint = "setpriority", SetLastError = true)]
    internal static partial int SetPriority(int which, uint who, int value);
    [LibraryImport(LibC, EntryPoint = "posix_fadvise")]
    internal static partial int PosixFAdvise(SafeFileHandle fd, long offset, long length, int advice);
    [LibraryImport(LibC, EntryPoint = "lseek", SetLastError = true)]
    internal static partial long LSeek(SafeFileHandle fd, long offset, int whence);
    [LibraryImport(LibC, EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Link(string oldPath, string newPath);
    [LibraryImport(LibC, EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int LChown(string path, uint owner, uint group);
    [LibraryImport(LibC, EntryPoint = "fchownat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int FChownAt(SafeFileHandle file, string path, uint owner, uint group, int flags);
    [LibraryImport(LibC, EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int StatX(int directory, string path, int flags, uint mask, out statx_buffer buffer);
    [LibraryImport(LibC, EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int StatX(SafeFileHandle file, string path, int flags, uint mask, out statx_buffer buffer);

    // fcntl_locking(2)
    [LibraryImport(LibC, EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int FCntl(SafeFileHandle fd, int command, ref flock_range range);

    // loop(4)
    [LibraryImport(LibC, EntryPoint = "ioctl", SetLastError = true)]
    internal static unsafe partial int Ioctl(SafeFileHandle fd, ulong request, byte* argument);
    [LibraryImport(LibC, EntryPoint = "getpwnam_r", StringMarshalling = StringMarshalling.Utf8)]
    internal static unsafe partial int GetPasswdByName(
        string name, passwd_entry* entry, byte* buffer, nuint length, passwd_entry** result);
    [LibraryImport(LibC, EntryPoint = "getgrnam_r", StringMarshalling = StringMarshalling.Utf8)]
    internal static unsafe partial int GetGroupByName(
        string name, group_entry* entry, byte* buffer, nuint length, group_entry** result);
    [LibraryImport(LibC, EntryPoint = "getpwuid_r")]
    internal static unsafe partial int GetPasswdById(
        uint uid, passwd_entry* entry, byte* buffer, nuint length, passwd_entry** result);
    [LibraryImport(LibC, EntryPoint = "geteuid")]
    internal static partial uint GetEffectiveUser();
    [LibraryImport(LibC, EntryPoint = "getegid")]
    internal static partial uint GetEffectiveGroup();
}

/// <summary>linux/fs.h: which part of which file is to be cloned to where. A length of 0: up to the end.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct file_clone_range
{
    public long src_fd;
    public ulong src_offset;
    public ulong src_length;
    public ulong dest_offset;
}

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

/// <summary>grp.h: <c>struct group</c> of 64-bit glibc and musl.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct group_entry
{
    public nint gr_name;
    public nint gr_passwd;
    public uint gr_gid;
    public nint gr_mem;
}

/// <summary>pwd.h: <c>struct passwd</c> of 64-bit glibc and musl.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct passwd_entry
{
    public nint pw_name;
    public nint pw_passwd;
    public uint pw_uid;
    public uint pw_gid;
    public nint pw_gecos;
    public nint pw_dir;
    public nint pw_shell;
}

/// <summary>linux/stat.h: <c>struct statx</c>, with the members that are asked for.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct statx_buffer
{
    [FieldOffset(20)]
    public uint stx_uid;

    [FieldOffset(24)]
    public uint stx_gid;

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
