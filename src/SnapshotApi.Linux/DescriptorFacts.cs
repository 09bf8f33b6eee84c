using System.Globalization;

namespace SnapshotApi.Linux;

/// <summary>What /proc/PID/fdinfo/N says; reading it asks no file system, so it can't hang on a dead one.</summary>
/// <param name="MountId">The mount that it was opened through; 0 when unknown.</param>
/// <param name="Inode">Its inode; null before Linux 5.14.</param>
internal readonly record struct DescriptorFacts(bool CanWrite, int MountId, ulong? Inode)
{
    private const int O_ACCMODE = 3;

    /// <summary>Null: it was closed meanwhile, or can't be looked at.</summary>
    public static DescriptorFacts? Read(string path)
    {
        return KernelText.TryRead(() => File.ReadAllText(path)) is { } text && Field(text, "flags:") is { } flags
            ? new DescriptorFacts(
                (Convert.ToInt32(flags, 8) & O_ACCMODE) != 0,
                int.TryParse(Field(text, "mnt_id:"), CultureInfo.InvariantCulture, out int mount) ? mount : 0,
                ulong.TryParse(Field(text, "ino:"), CultureInfo.InvariantCulture, out ulong inode) ? inode : null)
            : null;
    }

    private static string? Field(string text, string name) => text.Split('\n')
        .FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?[name.Length..].Trim();
}

/// <summary>A file that a process has open.</summary>
/// <param name="CanWrite">It is open for writing.</param>
public readonly record struct OpenFile(FileIdentity Identity, bool CanWrite)
{
    /// <summary>Its open files and block devices; null: no such process, or no right to look at it.</summary>
    public static IReadOnlyList<OpenFile>? ListOf(int processId)
    {
        string process = $"/proc/{processId.ToString(CultureInfo.InvariantCulture)}";
        string[]? descriptors = KernelText.Names($"{process}/fd");
        if (descriptors is null || !CanFollow(processId))
        {
            return null;
        }

        var files = new List<OpenFile>();
        foreach (string descriptor in descriptors)
        {
            if (FileIdentity.Find($"{process}/fd/{descriptor}") is { } file
                && (file.IsRegularFile || file.IsBlockDevice)
                && DescriptorFacts.Read($"{process}/fdinfo/{descriptor}") is { } facts)
            {
                files.Add(new OpenFile(file, facts.CanWrite));
            }
        }

        return files;
    }

    /// <summary>Its descriptors can be followed: that takes the same right as its root directory.</summary>
    public static bool CanFollow(int processId) =>
        FileIdentity.Find($"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/root/") is not null;
}
