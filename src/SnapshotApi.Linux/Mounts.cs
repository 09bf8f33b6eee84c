using System.Globalization;

namespace SnapshotApi.Linux;

/// <summary>The mounts that a process sees: /proc/PID/mountinfo.</summary>
internal static class Mounts
{
    // https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    /// <summary>None of a process that has ended.</summary>
    public static IReadOnlyList<Mount> Read(string process)
    {
        var mounts = new List<Mount>();
        foreach (string line in KernelText.TryRead(() => File.ReadAllLines($"/proc/{process}/mountinfo")) ?? [])
        {
            string[] fields = line.Split(' ');
            int dash = Array.IndexOf(fields, "-");
            if (dash > 0 && fields.Length > dash + 3
                && int.TryParse(fields[0], CultureInfo.InvariantCulture, out int id))
            {
                mounts.Add(new Mount(id, fields[2], fields[dash + 1], fields[dash + 3].Split(',').Contains("ro")));
            }
        }

        return mounts;
    }
}

/// <summary>One mount.</summary>
/// <param name="Device"><c>major:minor</c> of the file system.</param>
/// <param name="FileSystem">Its type.</param>
/// <param name="IsReadOnly">The file system itself, not only this mount of it, is read-only.</param>
internal sealed record Mount(int Id, string Device, string FileSystem, bool IsReadOnly);
