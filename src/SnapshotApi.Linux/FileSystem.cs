using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Linux;

/// <summary>Which file system a directory lies on.</summary>
public static class FileSystem
{
    /// <summary>
    /// The number of the file system (<c>major:minor</c>), symbolic links followed; null when the kernel does not tell.
    /// Unlike st_dev it is the same for all subvolumes of one btrfs, which share their space.
    /// </summary>
    /// <exception cref="IOException">It can't be opened.</exception>
    public static string? NumberOf(string directory)
    {
        using SafeFileHandle handle = LinuxFile.Open(directory, NativeMethods.O_RDONLY | NativeMethods.O_DIRECTORY, 0);
        string name = ((int)handle.DangerousGetHandle()).ToString(CultureInfo.InvariantCulture);
        string? mount = File.ReadLines($"/proc/self/fdinfo/{name}")
            .FirstOrDefault(line => line.StartsWith("mnt_id:", StringComparison.Ordinal))?["mnt_id:".Length..].Trim();

        // ID PARENT MAJOR:MINOR ROOT MOUNT-POINT ...; proc_pid_mountinfo(5)
        return mount is null
            ? null
            : File.ReadLines("/proc/self/mountinfo").Select(line => line.Split(' ', 4))
                .FirstOrDefault(f => f[0] == mount)?[2];
    }
}
