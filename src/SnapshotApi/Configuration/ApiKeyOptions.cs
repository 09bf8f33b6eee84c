using System.Buffers.Text;
using System.ComponentModel;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace SnapshotApi.Configuration;

/// <summary>Section <c>Auth:ApiKeys:N</c>: a key that opens the API.</summary>
internal sealed partial class ApiKeyOptions
{
    [Description(
        "Whose key it is, for the log: 1 to 64 letters, digits, `.`, `_`, `@` and `-`, unique. N is 0, 1, 2, ...")]
    public string Name { get; set; } = string.Empty;

    [Description(
        "Hash of the key, never the key: `sha256:` and 64 hexadecimal digits. `snapshotapi --new-api-key` makes both.")]
    public string Key { get; set; } = string.Empty;

    [Description(
        "A reader looks and downloads, an operator also takes snapshots, changes and cancels jobs, an admin also "
        + "deletes images and uses `/hangfire`.")]
    public AccessRole Role { get; set; } = AccessRole.Reader;

    /// <summary>All that is wrong with it, a sentence each.</summary>
    public IEnumerable<string> Problems(string section)
    {
        if (!NamePattern().IsMatch(Name))
        {
            yield return $"{section}:Name must be 1 to 64 letters, digits, '.', '_', '@' and '-'.";
        }

        // The text may be a key, so it is not repeated.
        if (ApiKeyHash.Parse(Key) is null)
        {
            yield return $"{section}:Key must be the hash of the key, '{ApiKeyHash.Prefix}' and 64 hexadecimal digits, "
                + "and not the key: snapshotapi --new-api-key makes both, and 'printf %s KEY | sha256sum' the hash of "
                + "one that there is.";
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9._@-]{1,64}\z")]
    private static partial Regex NamePattern();
}

/// <summary>
/// API keys and their hashes. Only hashes are configured: who reads the configuration can't use the API. A plain
/// SHA-256 is enough, because a key of 256 random bits can't be guessed. It must not be a password.
/// </summary>
internal static class ApiKeyHash
{
    public const string Prefix = "sha256:";

    // Lets scanners for secrets recognize our keys.
    private const string KeyPrefix = "sapi_";
    private const int KeyBytes = 32;

    /// <summary>A new key, of 256 random bits.</summary>
    public static string NewKey() => KeyPrefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(KeyBytes));

    /// <summary>The hash of a key.</summary>
    public static byte[] Of(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    /// <summary>A hash as it is configured.</summary>
    public static string Text(byte[] hash) => Prefix + Convert.ToHexStringLower(hash);

    /// <summary>The hash that is configured; null when the text is none.</summary>
    public static byte[]? Parse(string text) =>
        text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)
        && text.Length == Prefix.Length + (2 * SHA256.HashSizeInBytes)
        && text[Prefix.Length..].All(char.IsAsciiHexDigit)
            ? Convert.FromHexString(text[Prefix.Length..])
            : null;

    /// <summary>A new key and its hash, as <c>--new-api-key</c> prints them.</summary>
    public static string NewKeyText()
    {
        string key = NewKey();
        return $"key  {key}\nhash {Text(Of(key))}";
    }
}

/// <summary>What a caller of the API may do; each role may do all that those before it may.</summary>
internal enum AccessRole
{
    /// <summary>Looks at everything, and downloads images.</summary>
    Reader,

    /// <summary>Takes snapshots, changes and cancels jobs.</summary>
    Operator,

    /// <summary>Deletes images, and uses Hangfire's dashboard.</summary>
    Admin,
}

/// <summary>The spelling of roles.</summary>
internal static class AccessRoleExtensions
{
    /// <summary>The role as the configuration and messages spell it.</summary>
    public static string Name(this AccessRole role) => role.ToString().ToLowerInvariant();
}
