using System.Text;
using Microsoft.Net.Http.Headers;

namespace SnapshotApi.Api.Access;

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
