using System.Text;

namespace SnapshotApi.Linux;

/// <summary>Small texts of /proc and /sys.</summary>
internal static class KernelText
{
    /// <summary>The rest of the first line that begins with the prefix; null without such a line or file.</summary>
    public static string? FirstLine(string path, string prefix = "") =>
        TryRead(() => File.ReadLines(path, Encoding.UTF8)
        .FirstOrDefault(l => l.StartsWith(prefix, StringComparison.Ordinal))?[prefix.Length..]);

    /// <summary>What is in a directory; null when it has gone, or can't be looked at.</summary>
    public static string[]? Names(string directory) =>
        TryRead(() => Directory.EnumerateFileSystemEntries(directory).Select(path => Path.GetFileName(path)).ToArray());

    /// <summary>Null: it has gone, or can't be looked at.</summary>
    public static T? TryRead<T>(Func<T?> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
