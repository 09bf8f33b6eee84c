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
