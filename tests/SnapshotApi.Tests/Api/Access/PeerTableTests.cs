using System.Security.Claims;
using Microsoft.Extensions.Options;
using SnapshotApi.Api.Access;
using SnapshotApi.Configuration;
using SnapshotApi.Linux;

namespace SnapshotApi.Tests.Api.Access;

public sealed class PeerTableTests
{
    // No entry of /etc/passwd or /etc/group of any host has it.
    private const uint Stranger = 3_999_999_999;

    private static readonly PeerTable Peers = new(Options.Create(new SocketOptions { Group = "daemon" }));

    [Fact]
    public void Root_the_service_itself_and_members_of_the_group_are_admin()
    {
        uint group = LinuxAccounts.FindGroup("daemon")!.Value;

        AssertIs("root", AccessRole.Admin, new PeerCredentials(1, 0, [Stranger]));
        AssertIs(
            LinuxAccounts.FindUserName(LinuxAccounts.OwnUser)!,
            AccessRole.Admin,
            new PeerCredentials(1, LinuxAccounts.OwnUser, [Stranger]));
        AssertIs($"uid-{Stranger}", AccessRole.Admin, new PeerCredentials(1, Stranger, [group]));
        AssertIs($"uid-{Stranger}", AccessRole.Admin, new PeerCredentials(1, Stranger, [Stranger, Stranger, group]));
    }

    [Fact]
    public void Anybody_else_may_do_nothing()
    {
        AssertIs($"uid-{Stranger}", null, new PeerCredentials(1, Stranger, [Stranger, 0]));
        AssertIs("nobody", null, new PeerCredentials(1, LinuxAccounts.FindUser("nobody")!.Value.User, [Stranger]));
    }

    [Fact]
    public void Where_the_group_is_missing_no_other_stands_for_it()
    {
        var peers = new PeerTable(Options.Create(new SocketOptions { Group = "no such group" }));

        Assert.False(peers.Find(new PeerCredentials(1, Stranger, [0, Stranger])).IsInRole("reader"));
        Assert.True(peers.Find(new PeerCredentials(1, 0, [])).IsInRole("admin"));
    }

    private static void AssertIs(string name, AccessRole? role, PeerCredentials peer)
    {
        ClaimsPrincipal caller = Peers.Find(peer);

        Assert.Equal(name, Caller.NameOf(caller));
        Assert.True(Caller.IsPeer(caller));
        Assert.Equal(role is not null, caller.IsInRole("reader"));
        Assert.Equal(role == AccessRole.Admin, caller.IsInRole("admin"));
    }
}
