using System.Text;

namespace SnapshotApi.Configuration;

/// <summary>
/// A file of settings as the units read it: systemd's <c>EnvironmentFile=</c>, a line <c>Section__Key=value</c> for each.
/// https://www.freedesktop.org/software/systemd/man/252/systemd.exec.html#EnvironmentFile=
/// </summary>
internal static class SettingsFile
{
    // Of root, who starts the units: it holds a password.
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The values of the text, the last one of a name; comments and empty values are left out.</summary>
    public static IReadOnlyDictionary<string, string> Parse(string text)
    {
        var values = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        string joined = text.Replace("\\\n", string.Empty, StringComparison.Ordinal);
        foreach (string line in joined.Split('\n', StringSplitOptions.TrimEntries))
        {
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || line[0] is '#' or ';')
            {
                continue;
            }

            string name = line[..equals].TrimEnd();
            string value = Unquote(line[(equals + 1)..].TrimStart());
            values.Remove(name);
            if (value.Length > 0)
            {
                values.Add(name, value);
            }
        }

        return values;
    }

    /// <summary>The values of a file; none where there is no file.</summary>
    /// <exception cref="IOException">It can't be read.</exception>
    public static IReadOnlyDictionary<string, string> Read(string path) =>
        File.Exists(path) ? Parse(File.ReadAllText(path)) : new Dictionary<string, string>();

    /// <summary>Writes a file that only its owner reads, at once or not at all.</summary>
    /// <param name="comment">What the file is, a line each.</param>
    /// <exception cref="IOException">It can't be written.</exception>
    public static void Write(string path, string[] comment, params (string Name, string Value)[] values)
    {
        var text = new StringBuilder();
        text.AppendJoin(string.Empty, comment.Select(line => $"# {line}\n"));
        text.AppendJoin(string.Empty, values.Select(v => $"{v.Name}={Quote(v.Value)}\n"));
        string draft = $"{path}.new";
        File.Delete(draft);
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = Private,
        };
        using (var file = new FileStream(draft, options))
        {
            file.Write(Encoding.UTF8.GetBytes(text.ToString()));
            file.Flush(flushToDisk: true);
        }

        File.Move(draft, path, overwrite: true);
    }

    private static string Quote(string value) =>
        value.All(c => char.IsAsciiLetterOrDigit(c) || "/.:,=_+-@".Contains(c, StringComparison.Ordinal))
            ? value
            : $"\"{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    private static string Unquote(string value)
    {
        if (value.Length >= 2 && value[0] == '\'' && value[^1] == '\'')
        {
            return value[1..^1];
        }

        string inside = value.Length >= 2 && value[0] == '"' && value[^1] == '"' ? value[1..^1] : value;
        var plain = new StringBuilder(inside.Length);
        for (int i = 0; i < inside.Length; i++)
        {
            plain.Append(inside[i] == '\\' && i + 1 < inside.Length ? inside[++i] : inside[i]);
        }

        return plain.ToString();
    }
}
