using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace SnapshotApi.Configuration;

/// <summary>Section <c>Auth:ApiKeys:N</c>: a key that opens the API.</summary>
internal sealed partial class ApiKeyOptions
{
    /// <summary>Who has the key; the log shows it.</summary>
    /// <value>1 to 64 letters, digits, <c>.</c>, <c>_</c>, <c>@</c> and <c>-</c>; unique.</value>
    public string Name { get; set; } = string.Empty;

    /// <summary>The hash of the key, never the key.</summary>
    /// <value><c>sha256:</c> and the 64 hexadecimal digits of its SHA-256.</value>
    public string Key { get; set; } = string.Empty;

    /// <summary>What its owner may do.</summary>
    /// <value><c>reader</c> (default), <c>operator</c> or <c>admin</c>.</value>
    public AccessRole Role { get; set; } = AccessRole.Reader;

    /// <summary>All that is wrong with it, a sentence each.</summary>
    /// <param name="section">Its section, for the sentences.</param>
    public IEnumerable<string> Problems(string section)
    {
        if (!NamePattern().IsMatch(Name))
        {
            yield return $"{section}:Name must be 1 to 64 letters, digits, '.', '_', '@' and '-'.";
        }

        // Whatever stands there may be a key, so it is not repeated.
        if (ApiKeyHash.Parse(Key) is null)
        {
            yield return $"{section}:Key must be the hash of the key, '{ApiKeyHash.Prefix}' and 64 hexadecimal digits, and not the key: "
                + "snapshotapi --new-api-key makes both, and 'printf %s KEY | sha256sum' the hash of one that there is.";
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9._@-]{1,64}\z")]
    private static partial Regex NamePattern();
}

/// <summary>
/// API keys and their hashes. Only hashes are configured: who reads the configuration can't use the API. A plain SHA-256 does, because
/// a key of 256 random bits can't be guessed; it must not be a password.
/// </summary>
internal static class ApiKeyHash
{
    /// <summary>What a hash begins with, before its 64 hexadecimal digits.</summary>
    public const string Prefix = "sha256:";

    // Lets a scanner for secrets know a key of ours where it does not belong.
    private const string KeyPrefix = "sapi_";
    private const int KeyBytes = 32;

    /// <summary>A new key, of 256 random bits.</summary>
    public static string NewKey() => KeyPrefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(KeyBytes));

    /// <summary>The bytes of a key's hash.</summary>
    public static byte[] Of(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    /// <summary>A hash as it is configured.</summary>
    public static string Text(byte[] hash) => Prefix + Convert.ToHexStringLower(hash);

    /// <summary>The bytes of a hash as it is configured; null when the text is none.</summary>
    public static byte[]? Parse(string text) =>
        text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && text.Length == Prefix.Length + (2 * SHA256.HashSizeInBytes)
        && text[Prefix.Length..].All(char.IsAsciiHexDigit)
            ? Convert.FromHexString(text[Prefix.Length..])
            : null;

    /// <summary>A new key and its hash, each on a line of its own, as <c>--new-api-key</c> prints them.</summary>
    public static string NewKeyText()
    {
        string key = NewKey();
        return $"key  {key}\nhash {Text(Of(key))}";
    }
}

/// <summary>What a caller of the API may do; each role may do all that those before it may.</summary>
internal enum AccessRole
{
    /// <summary>Look at everything, and download images.</summary>
    Reader,

    /// <summary>Take snapshots, and change and cancel jobs.</summary>
    Operator,

    /// <summary>Delete images, and use Hangfire's dashboard.</summary>
    Admin,
}

/// <summary>What follows from a role.</summary>
internal static class AccessRoleExtensions
{
    /// <summary>The role as it is written in the configuration and in messages.</summary>
    public static string Name(this AccessRole role) => role.ToString().ToLowerInvariant();
}
