using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Claims;
using SnapshotApi.Configuration;

namespace SnapshotApi.Api.Access;

/// <summary>Who makes a request: the owner of a key, the subject of a token, a user of Keystone's, or anybody where nobody is asked.</summary>
internal static class Caller
{
    /// <summary>Name of those who were not asked.</summary>
    public const string Anonymous = "anonymous";

    /// <summary>Claim with the project that a token of Keystone's is for.</summary>
    public const string ProjectType = "project";

    /// <summary>Claim with the id of Keystone's user.</summary>
    public const string UserType = "user";

    private const string NameType = "name";
    private const string RoleType = "role";
    private const string KindType = "kind";
    private const string KeyKind = "key";
    private const string TokenKind = "token";
    private const string KeystoneKind = "keystone";

    // A line of the log stays a line, and short.
    private const int MaxShownLength = 64;

    /// <summary>The owner of a key.</summary>
    public static ClaimsPrincipal OfKey(string name, AccessRole role) => Make(KeyKind, name, role);

    /// <summary>The subject of a token; without a role of ours it may do nothing.</summary>
    public static ClaimsPrincipal OfToken(string name, AccessRole? role) => Make(TokenKind, name, role);

    /// <summary>A user of Keystone's, in one project; without a role of ours he may do nothing.</summary>
    public static ClaimsPrincipal OfKeystone(KeystoneIdentity identity, AccessRole? role)
    {
        ClaimsPrincipal caller = Make(KeystoneKind, identity.UserName, role);
        var own = (ClaimsIdentity)caller.Identity!;
        own.AddClaim(new Claim(UserType, identity.UserId));
        own.AddClaim(new Claim(ProjectType, identity.ProjectId));
        return caller;
    }

    /// <summary>Anybody, who may do everything: nobody is asked.</summary>
    public static ClaimsPrincipal OfNobody() => Make(Anonymous, Anonymous, AccessRole.Admin);

    /// <summary>The caller's name for the log; a dash for one who is not known. What a token says is cut and made plain.</summary>
    public static string NameOf(ClaimsPrincipal user)
    {
        string name = user.FindFirst(NameType)?.Value ?? "-";
        return string.Concat(name.Take(MaxShownLength).Select(c => c is > ' ' and <= '~' ? c : '?'));
    }

    /// <summary>Whose requests are counted together: those of a key, of a token's subject, else of an address.</summary>
    public static string CountedAs(HttpContext context) => context.User.FindFirst(KindType)?.Value is KeyKind or TokenKind or KeystoneKind
        ? $"{context.User.FindFirst(KindType)!.Value} {(context.User.FindFirst(UserType) ?? context.User.FindFirst(NameType))?.Value}"
        : $"address {Network(context.Connection.RemoteIpAddress)}";

    // A host with IPv6 has a network of 64 bits to itself: it must not count as as many callers as it has addresses.
    private static string Network(IPAddress? address)
    {
        if (address is not { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false })
        {
            return (address?.MapToIPv4() ?? IPAddress.None).ToString();
        }

        byte[] bytes = address.GetAddressBytes();
        Array.Clear(bytes, 8, 8);
        return string.Create(CultureInfo.InvariantCulture, $"{new IPAddress(bytes)}/64");
    }

    private static ClaimsPrincipal Make(string kind, string name, AccessRole? role)
    {
        var identity = new ClaimsIdentity(kind, NameType, RoleType);
        identity.AddClaim(new Claim(KindType, kind));
        identity.AddClaim(new Claim(NameType, name));
        foreach (AccessRole held in Enum.GetValues<AccessRole>().Where(r => r <= role))
        {
            identity.AddClaim(new Claim(RoleType, held.Name()));
        }

        return new ClaimsPrincipal(identity);
    }
}
