namespace SnapshotApi.Configuration;

/// <summary>A secret that is configured as a value or in a file. It is never logged, stored or repeated.</summary>
internal static class Secret
{
    public static bool IsGiven(string value, string file) => value.Length > 0 || file.Length > 0;

    /// <summary>The secret now, without the line breaks at the end of a file; null when none is configured.</summary>
    /// <exception cref="IOException">The file can't be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static string? Read(string value, string file) =>
        file.Length > 0 ? File.ReadAllText(file).TrimEnd('\r', '\n')
        : value.Length > 0 ? value
        : null;

    /// <summary>What is wrong with it, as a sentence; null when nothing is.</summary>
    public static string? Problem(string key, string value, string file)
    {
        if (value.Length > 0 && file.Length > 0)
        {
            return $"{key} and {key}File are both set; one is enough.";
        }

        try
        {
            return Read(value, file) is "" ? $"{key}File names a file that is empty." : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return $"{key}File names a file that can't be read.";
        }
    }
}
