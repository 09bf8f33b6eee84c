using SnapshotApi.Hypervisor;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Tests.Hypervisor;

public sealed class ServerWatchTests : IDisposable
{
    private readonly ServerWatch _watch = new(Guid.NewGuid(), _ => { });

    public void Dispose() => _watch.Dispose();

    // What follows, half a minute later when a backup job is at work, does not take the first cause's place.
    [Theory]
    [InlineData(LifecycleEventType.ShutDown, (int)LifecycleShutDownDetail.Guest, "it shuts down (Guest)")]
    [InlineData(LifecycleEventType.ShutDown, (int)LifecycleShutDownDetail.Host, "it shuts down (Host)")]
    [InlineData(LifecycleEventType.Stopped, (int)LifecycleStoppedDetail.Destroyed, "it stopped (Destroyed)")]
    [InlineData(LifecycleEventType.Crashed, 0, "it crashed")]
    public async Task A_server_that_ends_has_stopped_from_the_first_event_that_says_so(
        LifecycleEventType type, int detail, string reason)
    {
        Hear(type, detail);
        Hear(LifecycleEventType.Stopped, (int)LifecycleStoppedDetail.Failed);
        await SignalledAsync(_watch.Stopped);

        Assert.Equal(reason, _watch.Reason);
        Assert.False(_watch.Started.IsCancellationRequested);
        Assert.False(_watch.IoError.IsCancellationRequested);
    }

    [Fact]
    public async Task A_server_that_is_paused_has_an_error_only_if_that_is_why()
    {
        Hear(LifecycleEventType.Suspended, (int)LifecycleSuspendedDetail.Paused);
        Hear(LifecycleEventType.Resumed, 0);
        Assert.Null(_watch.Reason);

        Hear(LifecycleEventType.Suspended, (int)LifecycleSuspendedDetail.IoError);
        await SignalledAsync(_watch.IoError);

        Assert.NotNull(_watch.Reason);
        Assert.False(_watch.Stopped.IsCancellationRequested);
    }

    [Fact]
    public void A_pause_for_an_error_of_a_drive_that_is_not_captured_is_none_of_ours()
    {
        _watch.WatchedAliases = new HashSet<string> { "virtio-disk0" };

        _watch.OnIoError("virtio-disk1", IoErrorAction.Pause, "enospc");
        Hear(LifecycleEventType.Suspended, (int)LifecycleSuspendedDetail.IoError);

        Assert.False(_watch.IoError.IsCancellationRequested);
    }

    [Fact]
    public async Task An_error_that_names_no_device_is_that_of_a_scratch_file()
    {
        _watch.WatchedAliases = new HashSet<string> { "virtio-disk0" };

        _watch.OnIoError("", IoErrorAction.Pause, "enospc");
        await SignalledAsync(_watch.IoError);

        Assert.Equal("enospc", _watch.Reason);
    }

    [Fact]
    public async Task A_guest_that_goes_on_and_a_connection_that_was_lost_are_told()
    {
        Hear(LifecycleEventType.Resumed, 0);
        _watch.OnDisconnected();
        await SignalledAsync(_watch.Resumed);

        Assert.True(_watch.HasMissedEvents);
    }

    private void Hear(LifecycleEventType type, int detail) => _watch.OnLifecycle(
        new LifecycleEvent(_watch.ServerId, "web", type, detail));

    private static async Task SignalledAsync(CancellationToken signal)
    {
        var signalled = new TaskCompletionSource();
        using CancellationTokenRegistration registration = signal.Register(signalled.SetResult);
        await signalled.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }
}
