using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Linux;

/// <summary>
/// Finds who has files or block devices of this host open for writing, whether he takes locks or not: processes, loop devices, and the
/// kernel itself (mounts, device-mapper, md). One pass for all files. A host on the other end of shared storage is not seen.
/// </summary>
public static class FileWriters
{
    // Looking at a file behind one of these may hang with its server.
    private static readonly string[] RemoteFileSystems = ["nfs", "cifs", "smb", "ceph", "fuse", "9p", "gfs2", "ocfs2", "afs", "lustre", "glusterfs"];

    /// <summary>Finds the writers of some files.</summary>
    /// <param name="files">The files.</param>
    /// <param name="exceptProcesses">Ids of processes that do not count; this one never does.</param>
    public static IReadOnlyList<FileWriter> Find(IReadOnlyCollection<FileIdentity> files, params IReadOnlyCollection<int> exceptProcesses)
    {
        var wanted = files.ToHashSet();
        if (wanted.Count == 0)
        {
            return [];
        }

        var found = new List<FileWriter>();
        AddProcesses(wanted, exceptProcesses, found);
        AddLoopDevices(wanted, found);
        foreach (FileIdentity device in wanted.Where(f => f.IsBlockDevice))
        {
            AddKernel(device, found);
        }

        return [.. found.Distinct()];
    }

    private static void AddProcesses(HashSet<FileIdentity> wanted, IReadOnlyCollection<int> except, List<FileWriter> found)
    {
        HashSet<ulong> inodes = [.. wanted.Where(f => !f.IsBlockDevice).Select(f => f.Inode)];
        bool wantsDevices = wanted.Any(f => f.IsBlockDevice);
        var remoteMounts = new Dictionary<string, HashSet<int>>();
        foreach (string name in OpenFile.Names("/proc") ?? [])
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int process)
                || process == Environment.ProcessId
                || except.Contains(process))
            {
                continue;
            }

            foreach (string descriptor in OpenFile.Names($"/proc/{name}/fd") ?? [])
            {
                // First what the kernel knows without asking a file system: most descriptors are out by then.
                if (DescriptorFacts.Read($"/proc/{name}/fdinfo/{descriptor}") is { CanWrite: true } facts
                    && (facts.Inode is null || inodes.Contains(facts.Inode.Value) || (wantsDevices && !RemoteMounts(name, remoteMounts).Contains(facts.MountId)))
                    && FileIdentity.Find($"/proc/{name}/fd/{descriptor}") is { } file
                    && wanted.Contains(file))
                {
                    found.Add(new FileWriter(file, $"process {CommandOf(name)} ({name})"));
                }
            }
        }
    }

    // The processes of one mount namespace share the answer; a QEMU of libvirt's has one of its own.
    private static HashSet<int> RemoteMounts(string process, Dictionary<string, HashSet<int>> known)
    {
        string mountNamespace = new FileInfo($"/proc/{process}/ns/mnt").LinkTarget ?? process;
        if (!known.TryGetValue(mountNamespace, out HashSet<int>? mounts))
        {
            mounts = [.. Mounts.Read(process).Where(m => IsRemote(m.FileSystem)).Select(m => m.Id)];
            known.Add(mountNamespace, mounts);
        }

        return mounts;
    }

    private static void AddLoopDevices(HashSet<FileIdentity> wanted, List<FileWriter> found)
    {
        foreach (string name in (OpenFile.Names("/sys/block") ?? []).Where(n => n.StartsWith("loop", StringComparison.Ordinal)))
        {
            if (ReadLine($"/sys/block/{name}/loop/backing_file") is { } path
                && ReadLine($"/sys/block/{name}/ro") == "0"
                && (LoopDevice.BackingOf($"/dev/{name}") ?? FileIdentity.Find(path)) is { } file
                && wanted.Contains(file))
            {
                found.Add(new FileWriter(file, $"loop device {name}"));
            }
        }
    }

    // A device that is mounted, or part of another, has no process that holds it open.
    private static void AddKernel(FileIdentity device, List<FileWriter> found)
    {
        string number = $"{(device.Device >> 32).ToString(CultureInfo.InvariantCulture)}:{((uint)device.Device).ToString(CultureInfo.InvariantCulture)}";
        string[] holders = OpenFile.Names($"/sys/dev/block/{number}/holders") ?? [];
        Mount[] mounts = [.. Mounts.Read("self").Where(m => m.Device == number)];
        if (holders.Length > 0)
        {
            found.Add(new FileWriter(device, $"device {holders[0]}, of which it is a part"));
        }
        else if (mounts.Any(m => !m.IsReadOnly))
        {
            found.Add(new FileWriter(device, "this host, which has it mounted"));
        }
        else if (mounts.Length == 0 && !CanClaim(number))
        {
            found.Add(new FileWriter(device, "this host, which has claimed it or a partition of it"));
        }
    }

    // O_EXCL on a device that exists: EBUSY while the kernel itself, or somebody with O_EXCL, has it.
    private static bool CanClaim(string number)
    {
        string? name = ReadLine($"/sys/dev/block/{number}/uevent", "DEVNAME=");
        if (name is null)
        {
            return true;
        }

        using SafeFileHandle? device = LinuxFile.TryOpen($"/dev/{name}", NativeMethods.O_RDONLY | NativeMethods.O_EXCL | NativeMethods.O_NONBLOCK, out int errno);
        return errno != NativeMethods.EBUSY;
    }

    private static bool IsRemote(string fileSystem) => RemoteFileSystems.Any(r => fileSystem.StartsWith(r, StringComparison.Ordinal));

    private static string CommandOf(string process) => ReadLine($"/proc/{process}/comm") ?? "that has ended";

    private static string? ReadLine(string path, string prefix = "")
    {
        try
        {
            return File.ReadLines(path, Encoding.UTF8).FirstOrDefault(l => l.StartsWith(prefix, StringComparison.Ordinal))?[prefix.Length..];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
