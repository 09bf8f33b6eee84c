using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace SnapshotApi.Configuration;

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
