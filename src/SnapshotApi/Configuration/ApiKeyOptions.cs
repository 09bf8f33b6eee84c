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
