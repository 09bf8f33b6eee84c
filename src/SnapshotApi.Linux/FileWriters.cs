using System.Globalization;

namespace SnapshotApi.Linux;

/// <summary>
/// Finds who has files or block devices open for writing on this host, with locks or without: processes, loop devices,
/// and the kernel itself (mounts, device-mapper, md). One pass for all files. Other hosts on shared storage are not
/// seen.
/// </summary>
public static class FileWriters
{
    // Looking at a file behind one of these may hang with its server.
    private static readonly string[] RemoteFileSystems =
        ["nfs", "cifs", "smb", "ceph", "fuse", "9p", "gfs2", "ocfs2", "afs", "lustre", "glusterfs"];

    /// <param name="exceptProcesses">Processes that do not count; this one never does.</param>
    public static IReadOnlyList<FileWriter> Find(
        IReadOnlyCollection<FileIdentity> files, params IReadOnlyCollection<int> exceptProcesses)
    {
        var wanted = files.ToHashSet();
        if (wanted.Count == 0)
        {
            return [];
        }

        // Each file, and of a device also what lies on it, with the wanted file that it stands for.
        Dictionary<FileIdentity, FileIdentity> parts = wanted.ToDictionary(f => f);
        var found = new List<FileWriter>();
        foreach (FileIdentity device in wanted.Where(f => f.IsBlockDevice))
        {
            foreach (BlockDevice part in BlockDevice.WithAllOnIt(device))
            {
                parts.TryAdd(part.Identity, device);
                if (part.FindKernelWriter() is { } writer)
                {
                    found.Add(new FileWriter(device, writer));
                }
            }
        }

        AddProcesses(parts, exceptProcesses, found);
        AddLoopDevices(parts, found);
        return [.. found.Distinct()];
    }

    private static void AddProcesses(
        Dictionary<FileIdentity, FileIdentity> wanted, IReadOnlyCollection<int> except, List<FileWriter> found)
    {
        HashSet<ulong> inodes = [.. wanted.Keys.Where(f => !f.IsBlockDevice).Select(f => f.Inode)];
        bool wantsDevices = wanted.Keys.Any(f => f.IsBlockDevice);
        var mounts = new Dictionary<string, Dictionary<int, string>>();
        foreach (string name in KernelText.Names("/proc") ?? [])
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int process)
                || process == Environment.ProcessId
                || except.Contains(process))
            {
                continue;
            }

            foreach (string descriptor in KernelText.Names($"/proc/{name}/fd") ?? [])
            {
                // First what the kernel knows without asking a file system: that rules out most descriptors.
                if (DescriptorFacts.Read($"/proc/{name}/fdinfo/{descriptor}") is { CanWrite: true } facts
                    && (facts.Inode is not { } inode
                        || inodes.Contains(inode)
                        || MayBeWanted(Mounted(name, mounts).GetValueOrDefault(facts.MountId, ""), wantsDevices))
                    && FileIdentity.Find($"/proc/{name}/fd/{descriptor}") is { } file
                    && wanted.TryGetValue(file, out FileIdentity whole))
                {
                    found.Add(new FileWriter(whole, $"process {CommandOf(name)} ({name})"));
                }
            }
        }
    }

    // Of a device, which has several nodes, and on an overlay, a process has another inode open than that of the file.
    private static bool MayBeWanted(string fileSystem, bool wantsDevices) =>
        fileSystem == "overlay"
            || (wantsDevices && !RemoteFileSystems.Any(r => fileSystem.StartsWith(r, StringComparison.Ordinal)));

    // The processes of one mount namespace share the answer; libvirt gives each QEMU a namespace.
    private static Dictionary<int, string> Mounted(string process, Dictionary<string, Dictionary<int, string>> known)
    {
        string mountNamespace = new FileInfo($"/proc/{process}/ns/mnt").LinkTarget ?? process;
        if (!known.TryGetValue(mountNamespace, out Dictionary<int, string>? mounts))
        {
            mounts = Mounts.Read(process).DistinctBy(m => m.Id).ToDictionary(m => m.Id, m => m.FileSystem);
            known.Add(mountNamespace, mounts);
        }

        return mounts;
    }

    private static void AddLoopDevices(Dictionary<FileIdentity, FileIdentity> wanted, List<FileWriter> found)
    {
        string[] devices = KernelText.Names("/sys/block") ?? [];
        foreach (string name in devices.Where(n => n.StartsWith("loop", StringComparison.Ordinal)))
        {
            if (KernelText.FirstLine($"/sys/block/{name}/loop/backing_file") is { } path
                && KernelText.FirstLine($"/sys/block/{name}/ro") == "0"
                && (LoopDevice.BackingOf($"/dev/{name}") ?? FileIdentity.Find(path)) is { } file
                && wanted.TryGetValue(file, out FileIdentity whole))
            {
                found.Add(new FileWriter(whole, $"loop device {name}"));
            }
        }
    }

    private static string CommandOf(string process) =>
        KernelText.FirstLine($"/proc/{process}/comm") ?? "that has ended";
}

/// <summary>Who has a file open for writing.</summary>
/// <param name="Name">For example <c>process qemu-system-x86 (4711)</c>, <c>loop device loop3</c>; no path.</param>
public readonly record struct FileWriter(FileIdentity File, string Name);
