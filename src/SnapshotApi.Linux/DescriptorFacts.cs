using System.Globalization;

namespace SnapshotApi.Linux;

/// <summary>What /proc/PID/fdinfo/N says; reading it asks no file system, so it can't hang on a dead one.</summary>
/// <param name="CanWrite">Open for writing.</param>
/// <param name="MountId">The mount that it was opened through; 0 when not told.</param>
/// <param name="Inode">Its inode; null before Linux 5.14.</param>
internal readonly record struct DescriptorFacts(bool CanWrite, int MountId, ulong? Inode)
{
    private const int O_ACCMODE = 3;

    /// <summary>Null: it was closed meanwhile, or can't be looked at.</summary>
    public static DescriptorFacts? Read(string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        return Field(text, "flags:") is { } flags
            ? new DescriptorFacts(
                (Convert.ToInt32(flags, 8) & O_ACCMODE) != 0,
                int.TryParse(Field(text, "mnt_id:"), CultureInfo.InvariantCulture, out int mount) ? mount : 0,
                ulong.TryParse(Field(text, "ino:"), CultureInfo.InvariantCulture, out ulong inode) ? inode : null)
            : null;
    }

    private static string? Field(string text, string name)
    {
        foreach (string line in text.Split('\n'))
        {
            if (line.StartsWith(name, StringComparison.Ordinal))
            {
                return line[name.Length..].Trim();
            }
        }

        return null;
    }
}

/// <summary>A file that a process has open.</summary>
/// <param name="Identity">Which file.</param>
/// <param name="CanWrite">It is open for writing.</param>
public readonly record struct OpenFile(FileIdentity Identity, bool CanWrite)
{
    /// <summary>The files and block devices that a process has open.</summary>
    /// <returns>
    /// Null when there is no such process, or it can't be looked at: without CAP_SYS_PTRACE descriptors are listed, but not followed.
    /// </returns>
    public static IReadOnlyList<OpenFile>? ListOf(int processId)
    {
        string process = $"/proc/{processId.ToString(CultureInfo.InvariantCulture)}";
        string[]? descriptors = Names($"{process}/fd");
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

    /// <summary>The descriptors of that process can be followed to its files: the kernel asks for the same right as for its root directory.</summary>
    public static bool CanFollow(int processId) =>
        FileIdentity.Find($"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/root/") is not null;

    internal static string[]? Names(string directory)
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries(directory).Select(path => Path.GetFileName(path))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
