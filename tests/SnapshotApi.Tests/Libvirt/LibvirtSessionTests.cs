using System.Collections.Concurrent;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Tests.Libvirt;

[Collection(TestDriver.Collection)]
public sealed class LibvirtSessionTests
{
    [Fact]
    public void First_use_opens_the_connection_and_the_next_gets_the_same()
    {
        ConcurrentQueue<LibvirtConnection> connected = new();
        using LibvirtSession session = new(new LibvirtSessionOptions(TestDriver.Uri));
        session.Connected += connected.Enqueue;
        Assert.False(session.IsConnected);

        LibvirtConnection first = session.GetConnection();
        LibvirtConnection second = session.GetConnection();

        Assert.Same(first, second);
        Assert.True(session.IsConnected);
        Assert.Null(session.LastFailure);
        Assert.Same(first, Assert.Single(connected));
    }

    [Fact]
    public async Task Subscription_made_before_the_connection_hears_events()
    {
        Guid uuid = Guid.NewGuid();
        ConcurrentQueue<LifecycleEventType> events = new();
        using LibvirtSession session = new(new LibvirtSessionOptions(TestDriver.Uri));
        using IDisposable subscription = session.SubscribeLifecycle(e =>
        {
            if (e.DomainUuid == uuid)
            {
                events.Enqueue(e.Type);
            }
        });

        using LibvirtDomain domain = session.GetConnection().CreateXml(TestDriver.DomainXml("session", uuid));
        await TestDriver.UntilAsync(() => !events.IsEmpty);
        subscription.Dispose();
        domain.Destroy();

        Assert.Equal([LifecycleEventType.Started], events);
    }

    [Fact]
    public void Daemon_that_is_away_fails_the_caller_and_is_remembered()
    {
        using LibvirtSession session = new(
            new LibvirtSessionOptions("qemu+unix:///system?socket=/nonexistent/libvirt-sock"));

        LibvirtException failure = Assert.Throws<LibvirtException>(session.GetConnection);

        Assert.True(failure.IsConnectionLost);
        Assert.Equal("virConnectOpen", failure.Function);
        Assert.False(session.IsConnected);
        Assert.IsType<LibvirtException>(session.LastFailure);
    }

    [Fact]
    public void Failure_of_a_living_connection_does_not_end_it()
    {
        using LibvirtSession session = new(new LibvirtSessionOptions(TestDriver.Uri));
        LibvirtConnection connection = session.GetConnection();

        session.ReportFailure(
            new LibvirtException("virDomainSuspend", LibvirtErrorCode.OperationInvalid, LibvirtErrorSource.Test, "no"));
        session.ReportFailure(
            new LibvirtException("virDomainGetState", LibvirtErrorCode.RpcError, LibvirtErrorSource.Rpc, "bad"));

        Assert.Same(connection, session.GetConnection());
    }

    [Fact]
    public void Disposed_session_closes_its_connection_and_refuses_calls()
    {
        LibvirtSession session = new(new LibvirtSessionOptions(TestDriver.Uri));
        LibvirtConnection connection = session.GetConnection();

        session.Dispose();
        session.Dispose();

        Assert.Throws<ObjectDisposedException>(session.GetConnection);
        Assert.Throws<ObjectDisposedException>(session.Start);
        Assert.Throws<ObjectDisposedException>(() => session.SubscribeLifecycle(_ => { }));
        Assert.Throws<ObjectDisposedException>(() => connection.GetLibvirtVersion());
    }
}
