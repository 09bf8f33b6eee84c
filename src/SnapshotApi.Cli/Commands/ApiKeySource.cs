using System.Diagnostics.CodeAnalysis;

namespace SnapshotApi.Cli.Commands;

/// <summary>Where the key comes from that says who asks: a file or the environment, never the command line.</summary>
internal static class ApiKeySource
{
    /// <summary>Variable that holds the key.</summary>
    public const string KeyVariable = "SNAPSHOTCTL_API_KEY";

    /// <summary>Variable that names a file with the key.</summary>
    public const string FileVariable = "SNAPSHOTCTL_API_KEY_FILE";

    // A token of some provider may have several KiB; a server takes no header of more than 32.
    private const int MaxLength = 16 << 10;

    /// <summary>Reads the key.</summary>
    /// <param name="file">The file that was named on the command line; null: none.</param>
    /// <param name="environment">Environment variables.</param>
    /// <param name="key">The key; null: there is none.</param>
    /// <param name="problem">Why it can't be used; the key is not repeated.</param>
    public static bool TryRead(
        string? file, IReadOnlyDictionary<string, string> environment, out string? key, [NotNullWhen(false)] out string? problem)
    {
        (key, problem) = (null, null);
        if (file is null && environment.GetValueOrDefault(KeyVariable) is { Length: > 0 } text)
        {
            return TryTake(text, $"the variable {KeyVariable}", out key, out problem);
        }

        file ??= environment.GetValueOrDefault(FileVariable);
        if (string.IsNullOrEmpty(file))
        {
            return true;
        }

        try
        {
            using var reader = new StreamReader(file);
            var buffer = new char[MaxLength + 1];
            int length = reader.ReadBlock(buffer);
            return TryTake(new string(buffer, 0, length).TrimEnd('\r', '\n'), $"the file {file}", out key, out problem);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = $"the API key can't be read: {e.Message}";
            return false;
        }
    }

    private static bool TryTake(string text, string source, out string? key, [NotNullWhen(false)] out string? problem)
    {
        bool isKey = text.Length is > 0 and <= MaxLength && text.All(c => c is > ' ' and <= '~');
        key = isKey ? text : null;
        problem = isKey ? null : $"{source} holds no API key: one line of visible ASCII characters";
        return isKey;
    }
}
