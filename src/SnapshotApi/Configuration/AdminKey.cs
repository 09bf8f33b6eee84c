using System.ComponentModel;
using System.Text;
using SnapshotApi.Linux;

namespace SnapshotApi.Configuration;

/// <summary>
/// The key of an admin in a file (<c>Auth:AdminKeyFile</c>), so that a service which nobody has configured is closed
/// and can be used. A file that is there counts, always. It is made only where nothing else says who may come in.
/// </summary>
/// <param name="Hash">Of the key; null: there is none.</param>
/// <param name="Failure">Why there is none, as the end of a sentence; null: it is not wanted.</param>
/// <param name="IsNew">It was made now.</param>
internal sealed record AdminKey(byte[]? Hash, string? Failure = null, bool IsNew = false)
{
    /// <summary>Its owner, for the log.</summary>
    public const string Owner = "admin.key";

    private const int ShortestKey = 32;
    private const int LongestKey = 1024;

    private const UnixFileMode Others =
        UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    public static AdminKey None { get; } = new(null, null);

    /// <summary>What is wrong with a file that can be read, a sentence each.</summary>
    public static IEnumerable<string> Problem(string path)
    {
        string key;
        bool isSafe;
        if (path.Length == 0)
        {
            yield break;
        }

        try
        {
            (key, isSafe) = (ReadText(path), IsSafe(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No key, or none that can be read: the service starts without it, and says so.
            yield break;
        }

        if (!isSafe)
        {
            yield return $"Auth:AdminKeyFile names {path}, which others than its owner and root can read or change: "
                + $"take it away (rm {path}) and start again for a new key, or trust it (chmod 600, chown root).";
        }
        else if (!IsKey(key))
        {
            yield return $"Auth:AdminKeyFile names {path}, which holds no key, that is, one line of {ShortestKey} to "
                + $"{LongestKey} visible ASCII characters: take it away (rm {path}) and start again for a new one.";
        }
    }

    /// <summary>Reads the key, and makes it before that if there is none.</summary>
    public static AdminKey Open(AuthOptions auth)
    {
        string path = auth.AdminKeyFile;
        try
        {
            return path.Length == 0 ? None
                : File.Exists(path) ? Read(path)
                : auth.IsConfigured() || auth.AllowAnonymousNetwork ? None
                : Make(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string reason = !Directory.Exists(Path.GetDirectoryName(path)) ? "its directory is missing"
                : e.InnerException is Win32Exception native ? native.Message
                : e is UnauthorizedAccessException ? "permission denied"
                : e.Message;
            return new AdminKey(null, $"{(File.Exists(path) ? "can't be read" : "can't be written")}: {reason}");
        }
    }

    private static AdminKey Read(string path) => ReadText(path) is var key && IsKey(key) && IsSafe(path)
        ? new AdminKey(ApiKeyHash.Of(key))
        : throw new IOException("it changes while it is read");

    private static string ReadText(string path)
    {
        using var reader = new StreamReader(path);
        var text = new char[LongestKey + 2];
        return new string(text, 0, reader.ReadBlock(text)).TrimEnd('\r', '\n');
    }

    private static bool IsKey(string text) =>
        text.Length is >= ShortestKey and <= LongestKey && text.All(c => c is > ' ' and <= '~');

    // systemd lets a service read a credential by an access list, which shows as the right of root's group.
    private static bool IsSafe(string path)
    {
        UnixFileMode mode = File.GetUnixFileMode(path);
        (uint user, uint group) = LinuxFile.OwnerOf(path);
        return (mode & Others) == 0
            && (group == 0 || !mode.HasFlag(UnixFileMode.GroupRead))
            && (user == 0 || user == LinuxAccounts.OwnUser);
    }

    // Whole or not at all, and never in place of another: two processes may start at once.
    private static AdminKey Make(string path)
    {
        string partial = $"{path}.{Guid.NewGuid():N}";
        try
        {
            using (var file = new FileStream(LinuxFile.CreateNew(partial), FileAccess.ReadWrite))
            {
                file.Write(Encoding.ASCII.GetBytes(ApiKeyHash.NewKey() + "\n"));
                file.Flush(flushToDisk: true);
            }

            // A rename, and File.Move with it, would replace the key of another process.
            if (!LinuxFile.TryLink(partial, path))
            {
                return Read(path);
            }

            LinuxFile.SyncDirectory(Path.GetDirectoryName(path)!);
        }
        finally
        {
            if (File.Exists(partial))
            {
                File.Delete(partial);
            }
        }

        return Read(path) with { IsNew = true };
    }
}
