using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Net.Http.Headers;

namespace SnapshotApi.Api.Access;

/// <summary>Authenticates a caller by the key of the request; anybody, where the network is open.</summary>
internal sealed class ApiKeyHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, ApiKeyTable keys)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        // A wrong key is no failure here, which ASP.NET would log once more: AccessResultHandler says what is wrong.
        // Where the network is open, what looks like one may be meant for whatever stands in front.
        ClaimsPrincipal? caller = (PresentedKey.Read(Request) is { } key ? keys.Find(key) : null)
            ?? (keys.IsOpen ? Caller.OfNobody() : null);
        return Task.FromResult(caller is null
            ? AuthenticateResult.NoResult()
            : AuthenticateResult.Success(new AuthenticationTicket(caller, Scheme.Name)));
    }
}

/// <summary>The keys, as hashes: those that are configured, and that of the admin's file.</summary>
internal sealed class ApiKeyTable(IOptions<AuthOptions> options, AdminKey admin)
{
    private readonly (byte[] Hash, string Name, AccessRole Role)[] _keys =
    [
        .. options.Value.ApiKeys.Values.Select(k => (ApiKeyHash.Parse(k.Key)!, k.Name, k.Role)),
        .. admin.Hash is { } hash
            ? [(hash, AdminKey.Owner, AccessRole.Admin)]
            : Array.Empty<(byte[], string, AccessRole)>(),
    ];

    /// <summary>Who comes over the network without a key is admin.</summary>
    public bool IsOpen { get; } = options.Value.IsOpen();

    /// <summary>Nobody can come in over the network: there is neither a key nor a provider of tokens.</summary>
    public bool IsShut => _keys.Length == 0 && !options.Value.IsConfigured() && !IsOpen;

    /// <summary>The owner of a key; null when it is unknown. Takes the same time for each key.</summary>
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

/// <summary>Finds the key or token that a request presents.</summary>
internal static class PresentedKey
{
    /// <summary>Header for a key, for clients that need Authorization for something else.</summary>
    public const string Header = "X-Api-Key";

    private const string Bearer = "Bearer ";
    private const string Basic = "Basic ";

    // Longer than any token that a server accepts in a header.
    private const int MaxBasicLength = 16 << 10;

    /// <summary>A page: browsers can't send a bearer, so here the key may be the password of HTTP Basic.</summary>
    public static bool IsPage(HttpRequest request) => request.Path == "/"
        || request.Path.StartsWithSegments("/swagger") || request.Path.StartsWithSegments("/hangfire");

    /// <summary>
    /// The request has a credential, whether or not it can be read: who sends one is not to be taken for the process
    /// that passed it on.
    /// </summary>
    public static bool IsTried(HttpRequest request) =>
        request.Headers.ContainsKey(HeaderNames.Authorization) || request.Headers.ContainsKey(Header);

    /// <summary>The key or token; null when there is none.</summary>
    public static string? Read(HttpRequest request)
    {
        if (request.Headers[Header] is [{ Length: > 0 } key])
        {
            return key;
        }

        if (request.Headers.Authorization is not [{ } authorization])
        {
            return null;
        }

        if (authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
        {
            return authorization[Bearer.Length..].Trim();
        }

        bool isBasic = authorization.StartsWith(Basic, StringComparison.OrdinalIgnoreCase);
        return isBasic && IsPage(request) && IsSameOrigin(request) ? Password(authorization[Basic.Length..]) : null;
    }

    /// <summary>It looks like a JSON web token: three parts in base64url, the first of them a JSON object.</summary>
    public static bool IsToken(string key) =>
        key.StartsWith("eyJ", StringComparison.Ordinal) && key.Count(c => c == '.') == 2;

    // A browser adds a password of Basic also to a form of another site, but then says which site that is.
    private static bool IsSameOrigin(HttpRequest request)
    {
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method))
        {
            return true;
        }

        return request.Headers["Sec-Fetch-Site"] == "same-origin"
            || (Uri.TryCreate(request.Headers[HeaderNames.Origin], UriKind.Absolute, out Uri? origin)
                && string.Equals(origin.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase));
    }

    private static string? Password(string credentials)
    {
        var bytes = new byte[MaxBasicLength];
        return credentials.Length <= MaxBasicLength
            && Convert.TryFromBase64String(credentials.Trim(), bytes, out int length)
            && Encoding.UTF8.GetString(bytes, 0, length).Split(':', 2) is [_, { Length: > 0 } password]
                ? password
                : null;
    }
}
