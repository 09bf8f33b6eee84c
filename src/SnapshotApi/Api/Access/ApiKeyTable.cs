using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;

namespace SnapshotApi.Api.Access;

/// <summary>The configured keys, as hashes.</summary>
internal sealed class ApiKeyTable(IOptions<AuthOptions> options)
{
    private readonly (byte[] Hash, string Name, AccessRole Role)[] _keys =
        [.. options.Value.ApiKeys.Values.Select(k => (ApiKeyHash.Parse(k.Key)!, k.Name, k.Role))];

    /// <summary>Callers are asked who they are, by key or by token.</summary>
    public bool IsNeeded { get; } = options.Value.IsConfigured();

    /// <summary>The owner of a key; null when it is none of ours. Takes the same time whichever it is.</summary>
    public ClaimsPrincipal? Find(string key)
    {
        byte[] hash = ApiKeyHash.Of(key);
        int found = -1;
        for (int i = 0; i < _keys.Length; i++)
        {
            found = CryptographicOperations.FixedTimeEquals(hash, _keys[i].Hash) ? i : found;
        }

        return found < 0 ? null : Caller.OfKey(_keys[found].Name, _keys[found].Role);
    }
}
