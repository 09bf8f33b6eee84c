using System.Net;
using System.Net.Sockets;
using System.Security.Claims;

namespace SnapshotApi.Api.Access;

/// <summary>The caller: owner of a key, subject of a token, user of Keystone or of this host, or anybody.</summary>
internal static class Caller
{
    /// <summary>Name of all callers who present no key where none is needed.</summary>
    public const string Anonymous = "anonymous";

    /// <summary>Claim with the project of a token of Keystone's.</summary>
    public const string ProjectType = "project";

    public const string UserType = "user";

    private const string NameType = "name";
    private const string RoleType = "role";
    private const string KindType = "kind";
    private const string KeyKind = "key";
    private const string TokenKind = "token";
    private const string KeystoneKind = "keystone";
    private const string PeerKind = "peer";

    // A line of the log stays a line, and short.
    private const int MaxShownLength = 64;

    public static ClaimsPrincipal OfKey(string name, AccessRole role) => Make(KeyKind, name, role);

    /// <summary>The subject of a token; without a role it may do nothing.</summary>
    public static ClaimsPrincipal OfToken(string name, AccessRole? role) => Make(TokenKind, name, role);

    /// <summary>A user of Keystone's, in one project; without a role here it may do nothing.</summary>
    public static ClaimsPrincipal OfKeystone(KeystoneIdentity identity, AccessRole? role)
    {
        ClaimsPrincipal caller = Make(KeystoneKind, identity.UserName, role);
        var own = (ClaimsIdentity)caller.Identity!;
        own.AddClaim(new Claim(UserType, identity.UserId));
        own.AddClaim(new Claim(ProjectType, identity.ProjectId));
        return caller;
    }

    /// <summary>A user of this host, on the socket; without a role they may do nothing.</summary>
    public static ClaimsPrincipal OfPeer(string name, AccessRole? role) => Make(PeerKind, name, role);

    /// <summary>Who needs no key, and may do everything.</summary>
    public static ClaimsPrincipal OfNobody() => Make(Anonymous, Anonymous, AccessRole.Admin);

    /// <summary>The caller's name for the log, cut and in ASCII; a dash for an unknown one.</summary>
    public static string NameOf(ClaimsPrincipal user)
    {
        string name = user.FindFirst(NameType)?.Value ?? "-";
        return string.Concat(name.Take(MaxShownLength).Select(c => c is > ' ' and <= '~' ? c : '?'));
    }

    /// <summary>The caller came in by the socket, and presented no key.</summary>
    public static bool IsPeer(ClaimsPrincipal user) => user.FindFirst(KindType)?.Value == PeerKind;

    /// <summary>Whose requests a rate limit counts together: a key's, a user's, else an address's.</summary>
    public static string CountedAs(HttpContext context) =>
        context.User.FindFirst(KindType)?.Value is (KeyKind or TokenKind or KeystoneKind or PeerKind) and var kind
            ? $"{kind} {(context.User.FindFirst(UserType) ?? context.User.FindFirst(NameType))?.Value}"
            : $"address {Network(context.Connection.RemoteIpAddress)}";

    // A host with IPv6 has a network of 64 bits, and must not count as that many callers.
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
