using System.Text;

namespace SnapshotApi.Linux;

/// <summary>Small texts of /proc and /sys.</summary>
internal static class KernelText
{
    /// <summary>What follows the prefix in the first line that begins with it; null when there is no such line or file.</summary>
    public static string? FirstLine(string path, string prefix = "")
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
