using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;

namespace SnapshotApi.Linux;

/// <summary>What Linux can do with this process that .NET does not offer.</summary>
public static class LinuxProcess
{
    /// <summary>
    /// Gives every thread of this process, those that it makes from now on, and its child processes at least this nice
    /// value: others get a processor first. Needs no privilege; what is nicer already stays as it is.
    /// </summary>
    /// <param name="nice">0 to 19; 0 changes nothing.</param>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static void LowerPriority(int nice)
    {
        // The nice value belongs to the thread. A new thread inherits it, perhaps from one that is still to be changed.
        bool hasChanged;
        do
        {
            hasChanged = false;
            foreach (uint thread in Threads().Where(thread => NiceOf(thread) < nice))
            {
                hasChanged |= TrySetNice(thread, nice);
            }
        }
        while (hasChanged);
    }

    /// <summary>
    /// This process may look at the open files of every other. Without CAP_SYS_PTRACE descriptors are listed, but not
    /// followed.
    /// https://man7.org/linux/man-pages/man7/capabilities.7.html
    /// </summary>
    public static bool CanLookAtOthers => Has(LinuxCapability.SysPtrace);

    /// <summary>A capability is in effect in this process.</summary>
    public static bool Has(LinuxCapability capability) => File.ReadLines("/proc/self/status")
        .Where(line => line.StartsWith("CapEff:", StringComparison.Ordinal))
        .Select(
            line => ulong.Parse(line["CapEff:".Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture))
        .Any(capabilities => ((capabilities >> (int)capability) & 1) == 1);

    /// <summary>The nice value of a thread; 0 stands for the calling one.</summary>
    public static int NiceOf(uint thread) => NativeMethods.GetPriority(NativeMethods.PRIO_PROCESS, thread);

    /// <summary>The ids of this process' threads.</summary>
    public static IReadOnlyList<uint> Threads() =>
    [
        .. Directory.EnumerateDirectories("/proc/self/task")
            .Select(path => uint.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture)),
    ];

    // False: the thread has ended since it was listed.
    private static bool TrySetNice(uint thread, int nice)
    {
        if (NativeMethods.SetPriority(NativeMethods.PRIO_PROCESS, thread, nice) == 0)
        {
            return true;
        }

        var error = new Win32Exception(Marshal.GetLastPInvokeError());
        return error.NativeErrorCode == Errno.ESRCH
            ? false
            : throw new IOException($"setpriority to {nice}: {error.Message}", error);
    }
}

/// <summary>linux/capability.h, as far as it is asked for.</summary>
public enum LinuxCapability
{
    Chown = 0,
    DacOverride = 1,
    DacReadSearch = 2,
    Kill = 5,
    SetGid = 6,
    SetUid = 7,
    SysPtrace = 19,
}
