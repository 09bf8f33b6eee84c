using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Tests.Libvirt;

[Collection(TestDriver.Collection)]
public sealed class LibvirtEventTests : IDisposable
{
    private readonly LibvirtConnection _connection = TestDriver.Open();

    public void Dispose() => _connection.Dispose();

    [Fact]
    public async Task Lifecycle_events_name_the_domain_and_come_in_order()
    {
        Guid uuid = Guid.NewGuid();
        ConcurrentQueue<LifecycleEvent> events = new();
        using IDisposable subscription = _connection.SubscribeLifecycle(e => Keep(events, e, uuid));

        using LibvirtDomain domain = _connection.DefineXml(TestDriver.DomainXml("évènement", uuid));
        domain.Create();
        domain.Suspend();
        domain.Resume();
        domain.Destroy();
        domain.Undefine();
        await TestDriver.UntilAsync(() => events.Count >= 6);

        Assert.Equal(
            [
                LifecycleEventType.Defined,
                LifecycleEventType.Started,
                LifecycleEventType.Suspended,
                LifecycleEventType.Resumed,
                LifecycleEventType.Stopped,
                LifecycleEventType.Undefined,
            ],
            events.Select(e => e.Type));
        Assert.All(events, e => Assert.Equal("évènement", e.DomainName));
        Assert.Equal((int)LifecycleStartedDetail.Booted, events.ElementAt(1).Detail);
        Assert.Equal((int)LifecycleSuspendedDetail.Paused, events.ElementAt(2).Detail);
        Assert.Equal((int)LifecycleStoppedDetail.Destroyed, events.ElementAt(4).Detail);
    }

    [Fact]
    public async Task Disposed_subscription_hears_nothing_more()
    {
        Guid uuid = Guid.NewGuid();
        ConcurrentQueue<LifecycleEvent> ended = new();
        ConcurrentQueue<LifecycleEvent> kept = new();
        IDisposable first = _connection.SubscribeLifecycle(e => Keep(ended, e, uuid));
        using IDisposable second = _connection.SubscribeLifecycle(e => Keep(kept, e, uuid));

        first.Dispose();
        first.Dispose();
        using LibvirtDomain domain = _connection.CreateXml(TestDriver.DomainXml("unheard", uuid));
        domain.Destroy();
        await TestDriver.UntilAsync(() => kept.Count >= 2);

        Assert.Empty(ended);
    }

    [Fact]
    public async Task Exception_of_a_handler_is_reported_and_the_others_go_on()
    {
        Guid uuid = Guid.NewGuid();
        ConcurrentQueue<LifecycleEvent> events = new();
        ConcurrentQueue<Exception> failures = new();
        LibvirtEventLoop.EventHandlerFailed += failures.Enqueue;
        try
        {
            using IDisposable broken = _connection.SubscribeLifecycle(
                e => throw new InvalidOperationException($"handler of {e.DomainName}"));
            using IDisposable subscription = _connection.SubscribeLifecycle(e => Keep(events, e, uuid));

            using LibvirtDomain domain = _connection.CreateXml(TestDriver.DomainXml("broken", uuid));
            domain.Destroy();
            await TestDriver.UntilAsync(() => events.Count >= 2 && !failures.IsEmpty);
        }
        finally
        {
            LibvirtEventLoop.EventHandlerFailed -= failures.Enqueue;
        }

        Assert.Contains(failures, f => f is InvalidOperationException { Message: "handler of broken" });
    }

    [Fact]
    public async Task Handler_may_end_its_own_subscription()
    {
        Guid uuid = Guid.NewGuid();
        ConcurrentQueue<LifecycleEvent> once = new();
        ConcurrentQueue<LifecycleEvent> all = new();
        IDisposable? subscription = null;
        subscription = _connection.SubscribeLifecycle(e =>
        {
            Keep(once, e, uuid);
            subscription!.Dispose();
        });
        using IDisposable other = _connection.SubscribeLifecycle(e => Keep(all, e, uuid));

        using LibvirtDomain domain = _connection.CreateXml(TestDriver.DomainXml("once", uuid));
        domain.Destroy();
        await TestDriver.UntilAsync(() => all.Count >= 2);

        Assert.Single(once);
    }

    [Fact]
    public async Task Ended_subscriptions_and_connections_are_released_to_the_garbage_collector()
    {
        WeakReference[] listeners = SubscribeAndEnd();

        foreach (WeakReference listener in listeners)
        {
            await TestDriver.UntilAsync(() => IsCollected(listener));
        }
    }

    [Fact]
    public void Every_kind_of_event_can_be_subscribed_to_and_ended()
    {
        IDisposable[] subscriptions =
        [
            _connection.SubscribeLifecycle(_ => { }),
            _connection.SubscribeBlockJob(_ => { }),
            _connection.SubscribeIoError(_ => { }),
            _connection.SubscribeAgentLifecycle(_ => { }),
        ];

        Assert.All(subscriptions, Assert.NotNull);
        Array.ForEach(subscriptions, s => s.Dispose());
    }

    private static void Keep(ConcurrentQueue<LifecycleEvent> events, LifecycleEvent e, Guid uuid)
    {
        if (e.DomainUuid == uuid)
        {
            events.Enqueue(e);
        }
    }

    private static bool IsCollected(WeakReference reference)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return !reference.IsAlive;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference[] SubscribeAndEnd()
    {
        LibvirtConnection connection = TestDriver.Open();
        Listener byItself = new();
        Listener withTheConnection = new();
        connection.SubscribeLifecycle(byItself.Hear).Dispose();
        connection.SubscribeLifecycle(withTheConnection.Hear);
        connection.Dispose();
        return [new(byItself), new(withTheConnection), new(connection)];
    }

    private sealed class Listener
    {
        private LifecycleEvent? _last;

        public void Hear(LifecycleEvent e) => _last = e;
    }
}
