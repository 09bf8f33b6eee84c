using System.Runtime.InteropServices;

namespace SnapshotApi.Nbd.Interop;

/// <summary>The few calls of the C library that waiting on a libnbd socket together with a wake-up needs, and memory of our own.</summary>
internal static unsafe partial class LibC
{
    internal const short POLLIN = 0x001;
    internal const short POLLOUT = 0x004;
    internal const short POLLERR = 0x008;
    internal const short POLLHUP = 0x010;
    internal const short POLLNVAL = 0x020;

    internal const int EFD_CLOEXEC = 0x80000;
    internal const int EFD_NONBLOCK = 0x800;

    internal const int PROT_READ = 0x1;
    internal const int PROT_WRITE = 0x2;
    internal const int MAP_PRIVATE = 0x02;
    internal const int MAP_ANONYMOUS = 0x20;
    internal const nint MAP_FAILED = -1;

    private const string Library = "libc";

    /// <summary>See https://man7.org/linux/man-pages/man2/poll.2.html</summary>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial int poll(PollFd* fds, nuint nfds, int timeout);

    /// <summary>See https://man7.org/linux/man-pages/man2/eventfd.2.html</summary>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial WakeEvent eventfd(uint initval, int flags);

    /// <summary>See https://man7.org/linux/man-pages/man2/read.2.html</summary>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint read(WakeEvent fd, void* buf, nuint count);

    /// <summary>See https://man7.org/linux/man-pages/man2/write.2.html</summary>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint write(WakeEvent fd, void* buf, nuint count);

    /// <summary>See https://man7.org/linux/man-pages/man2/close.2.html</summary>
    [LibraryImport(Library)]
    internal static partial int close(int fd);

    /// <summary>See https://man7.org/linux/man-pages/man2/mmap.2.html</summary>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint mmap(void* addr, nuint length, int prot, int flags, int fd, long offset);

    /// <summary>See https://man7.org/linux/man-pages/man2/munmap.2.html</summary>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial int munmap(void* addr, nuint length);

    /// <summary><c>struct pollfd</c> (its own name is reserved by the compiler: CS8981).</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct PollFd
    {
        internal int fd;
        internal short events;
        internal short revents;
    }
}
