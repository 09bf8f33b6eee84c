using System.Collections.Concurrent;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Libvirt;

namespace SnapshotApi.IntegrationTests.Libvirt;

public sealed class LibvirtSessionTests
{
    private const string DaemonSocket = "/run/libvirt/libvirt-sock";

    [Fact]
    public async Task Connection_that_is_cut_is_opened_again_with_its_subscriptions()
    {
        Requires.LabDirectory();
        await using SocketRelay relay = new(DaemonSocket);
        ConcurrentQueue<string> history = new();
        ConcurrentQueue<LifecycleEvent> events = new();
        using LibvirtSession session = new(Options(relay));
        session.Connected += _ => history.Enqueue("connected");
        session.Disconnected += reason => history.Enqueue($"disconnected {reason}");
        using IDisposable subscription = session.SubscribeLifecycle(events.Enqueue);
        LibvirtConnection first = session.GetConnection();

        relay.Cut();
        await QemuGuest.UntilAsync(() => history.Count == 3);

        Assert.Equal(["connected", "disconnected EndOfFile", "connected"], history);
        LibvirtConnection second = session.GetConnection();
        Assert.NotSame(first, second);
        Assert.False(first.IsAlive);
        Assert.True(Assert.Throws<LibvirtException>(() => first.GetLibvirtVersion()).IsConnectionLost);
        Guid uuid = DefineAndUndefine(second);
        await QemuGuest.UntilAsync(() => events.Count(e => e.DomainUuid == uuid) == 2);
    }

    [Fact]
    public async Task Daemon_that_comes_back_is_found_without_being_asked_for()
    {
        Requires.LabDirectory();
        await using SocketRelay relay = new(DaemonSocket);
        using LibvirtSession session = new(Options(relay));
        session.GetConnection();

        await relay.RefuseAsync();
        relay.Cut();
        await QemuGuest.UntilAsync(() => !session.IsConnected && session.LastFailure is not null);
        LibvirtException away = Assert.Throws<LibvirtException>(session.GetConnection);
        relay.Listen();
        await QemuGuest.UntilAsync(() => session.IsConnected);

        Assert.True(away.IsConnectionLost);
        Assert.Null(session.LastFailure);
        Assert.Equal("QEMU", session.GetConnection().GetDriverName());
    }

    [Fact]
    public async Task Closed_connections_leave_no_descriptor_open()
    {
        Requires.LabDirectory();
        await using SocketRelay relay = new(DaemonSocket);
        for (int i = 0; i < 200; i++)
        {
            using LibvirtConnection connection = LibvirtConnection.Open(Uri(relay));
            connection.SubscribeLifecycle(_ => { });
            foreach (LibvirtDomain domain in connection.ListDomains())
            {
                domain.Dispose();
            }
        }

        // The relay's end of a connection is closed when libvirt's end is.
        await QemuGuest.UntilAsync(() => relay.Open == 0);
        Assert.Equal(200, relay.Accepted);
    }

    private static LibvirtSessionOptions Options(SocketRelay relay) =>
        new(Uri(relay)) { RetryInterval = TimeSpan.FromMilliseconds(100) };

    private static string Uri(SocketRelay relay) => $"qemu+unix:///system?socket={relay.Path}";

    private static Guid DefineAndUndefine(LibvirtConnection connection)
    {
        Guid uuid = Guid.NewGuid();
        using LibvirtDomain domain = connection.DefineXml(
            $"<domain type='qemu'><name>t{uuid:N}</name><uuid>{uuid}</uuid><memory>65536</memory><os><type arch='x86_64'>hvm</type></os></domain>");
        domain.Undefine();
        return uuid;
    }
}
