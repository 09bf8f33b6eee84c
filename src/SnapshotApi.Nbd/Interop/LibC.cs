using System.Runtime.InteropServices;

namespace SnapshotApi.Nbd.Interop;

/// <summary>
/// Waiting for a libnbd socket together with a wake-up, and memory of our own. Each function has a page below
/// https://man7.org/linux/man-pages/man2/
/// </summary>
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

    [LibraryImport(Library, SetLastError = true)]
    internal static partial int poll(PollFd* fds, nuint nfds, int timeout);
    [LibraryImport(Library, SetLastError = true)] internal static partial WakeEvent eventfd(uint initval, int flags);
    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint read(WakeEvent fd, void* buf, nuint count);
    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint write(WakeEvent fd, void* buf, nuint count);
    [LibraryImport(Library)] internal static partial int close(int fd);
    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint mmap(void* addr, nuint length, int prot, int flags, int fd, long offset);
    [LibraryImport(Library, SetLastError = true)] internal static partial int munmap(void* addr, nuint length);

    /// <summary><c>struct pollfd</c>, a name that the compiler reserves (CS8981).</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct PollFd
    {
        internal int fd;
        internal short events;
        internal short revents;
    }
}
