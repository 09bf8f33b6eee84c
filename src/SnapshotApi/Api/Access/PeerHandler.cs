using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Connections.Features;
using SnapshotApi.Linux;

namespace SnapshotApi.Api.Access;

/// <summary>Authenticates a caller on a unix socket who presents no key: by the user that the kernel names.</summary>
internal sealed class PeerHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, PeerTable peers)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
        PeerTable.SocketOf(Context) is { } socket
            ? AuthenticateResult.Success(new AuthenticationTicket(peers.Find(PeerCredentials.Of(socket)), Scheme.Name))
            : AuthenticateResult.NoResult());
}

/// <summary>
/// Who is admin on the socket: root, the service's own user, members of the group. The mode of the socket keeps others
/// out; if somebody changes that, they may do nothing all the same.
/// </summary>
internal sealed class PeerTable(IOptions<SocketOptions> options)
{
    // Looking a name up may ask a directory on the network.
    private readonly ConcurrentDictionary<uint, string> _names = new();
    private readonly uint? _group = LinuxAccounts.FindGroup(options.Value.Group);

    /// <summary>The unix socket that a request came in by; null: it came over the network.</summary>
    public static Socket? SocketOf(HttpContext context) =>
        context.Features.Get<IConnectionSocketFeature>()?.Socket is { AddressFamily: AddressFamily.Unix } socket
            ? socket
            : null;

    /// <summary>The caller; without a role if they are not to use the socket.</summary>
    public ClaimsPrincipal Find(PeerCredentials peer)
    {
        bool isAdmin = peer.UserId == 0 || peer.UserId == LinuxAccounts.OwnUser
            || (_group is { } group && peer.GroupIds.Contains(group));
        return Caller.OfPeer(_names.GetOrAdd(peer.UserId, NameOf), isAdmin ? AccessRole.Admin : null);
    }

    private static string NameOf(uint user) =>
        LinuxAccounts.FindUserName(user) ?? string.Create(CultureInfo.InvariantCulture, $"uid-{user}");
}
