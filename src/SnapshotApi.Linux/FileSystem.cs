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
        int descriptor = (int)handle.DangerousGetHandle();
        string facts = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fdinfo/{descriptor}");
        return DescriptorFacts.Read(facts) is { MountId: var id }
            ? Mounts.Read("self").FirstOrDefault(m => m.Id == id)?.Device
            : null;
    }
}
