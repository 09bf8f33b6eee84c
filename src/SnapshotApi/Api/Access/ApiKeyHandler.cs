using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using SnapshotApi.Configuration;

namespace SnapshotApi.Api.Access;

/// <summary>Knows a caller by the key of the request; anybody where nobody is asked.</summary>
internal sealed class ApiKeyHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, ApiKeyTable keys)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (!keys.IsNeeded)
        {
            return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(Caller.OfNobody(), Scheme.Name)));
        }

        // A wrong key is no failure here, which ASP.NET would log once more: who turns the caller away says what was wrong.
        return Task.FromResult(PresentedKey.Read(Request) is { } key && keys.Find(key) is { } owner
            ? AuthenticateResult.Success(new AuthenticationTicket(owner, Scheme.Name))
            : AuthenticateResult.NoResult());
    }
}

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

/// <summary>Finds the key or token that a request presents.</summary>
internal static class PresentedKey
{
    /// <summary>Header for a key, for clients that have other use for Authorization.</summary>
    public const string Header = "X-Api-Key";

    private const string Bearer = "Bearer ";
    private const string Basic = "Basic ";

    // Longer than any token that a server takes in a header.
    private const int MaxBasicLength = 16 << 10;

    /// <summary>The address is a page: a browser, which can't be told to send a bearer, may name the key as the password of HTTP Basic.</summary>
    public static bool IsPage(HttpRequest request) =>
        request.Path == "/" || request.Path.StartsWithSegments("/swagger") || request.Path.StartsWithSegments("/hangfire");

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

        return authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? authorization[Bearer.Length..].Trim()
            : authorization.StartsWith(Basic, StringComparison.OrdinalIgnoreCase) && IsPage(request) && IsFromHere(request) ? Password(authorization[Basic.Length..])
            : null;
    }

    /// <summary>It has the form of a token: three parts in base64url, the first of which is a JSON object.</summary>
    public static bool IsToken(string key) =>
        key.StartsWith("eyJ", StringComparison.Ordinal) && key.Count(c => c == '.') == 2;

    // A browser sends a password of Basic by itself, also with a form that another site made it send. Such a request tells so.
    private static bool IsFromHere(HttpRequest request)
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
        return credentials.Length <= MaxBasicLength && Convert.TryFromBase64String(credentials.Trim(), bytes, out int length)
            && Encoding.UTF8.GetString(bytes, 0, length).Split(':', 2) is [_, { Length: > 0 } password]
                ? password
                : null;
    }
}
