using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Tests.Captures;

public sealed class CaptureGuardTests : IDisposable
{
    private readonly ServerWatch _watch = new(Guid.NewGuid(), _ => { });

    public void Dispose() => _watch.Dispose();

    [Theory]
    [InlineData("enospc", "NoSpace", "QEMU found no space to write to while the disk of server web was read")]
    [InlineData("", "CopySourceFailed", "QEMU reported an I/O error of server web while its disk was read")]
    [InlineData("eio", "CopySourceFailed", "QEMU reported an I/O error of server web while its disk was read: eio")]
    public async Task An_error_that_QEMU_reports_ends_the_views_with_that_reason(
        string reason, string code, string message)
    {
        SnapshotException lost = await LostAfterAsync(
            () => _watch.OnIoError("virtio-disk0", IoErrorAction.Pause, reason));

        Assert.Equal((code, message), (lost.Code.ToString(), lost.Message));
    }

    [Fact]
    public async Task A_server_that_stops_ends_the_views_with_that_reason()
    {
        SnapshotException lost = await LostAfterAsync(() => _watch.OnLifecycle(
            new LifecycleEvent(_watch.ServerId, "web", LifecycleEventType.Stopped, (int)LifecycleStoppedDetail.Destroyed)));

        Assert.Equal(SnapshotErrorCode.ServerStopped, lost.Code);
        Assert.Equal("server web stopped while its disk was read: it stopped (Destroyed)", lost.Message);
    }

    [Theory]
    [InlineData("sata0-0-1", IoErrorAction.Report)]
    [InlineData("sata0-0-1", IoErrorAction.Pause)]
    [InlineData("virtio-disk0", IoErrorAction.None)]
    public void An_error_of_another_drive_or_one_that_QEMU_ignores_is_none_of_ours(string alias, IoErrorAction action)
    {
        _watch.WatchedAliases = new HashSet<string> { "virtio-disk0" };

        _watch.OnIoError(alias, action, "eio");

        Assert.False(_watch.IoError.IsCancellationRequested);
        Assert.Null(_watch.Reason);
    }

    [Fact]
    public async Task A_watch_that_can_not_look_any_more_ends_the_views()
    {
        await using var guard = new CaptureGuard(_watch, new FakeTimeProvider());
        await using CapturedDisks captured = NewDisks();

        guard.Begin(captured, "web", () => throw new IOException("statvfs"), TimeSpan.FromMinutes(1));

        Assert.True(captured.Lost.WaitHandle.WaitOne(TimeSpan.FromSeconds(10)));
        Assert.Equal(SnapshotErrorCode.NoSpace, captured.LostReason!.Code);
    }

    private static CapturedDisks NewDisks() => new()
    {
        Views = [],
        Consistency = Consistency.Crash,
        Downtime = () => GuestDowntime.None,
        Freeze = TimeSpan.Zero,
    };

    private async Task<SnapshotException> LostAfterAsync(Action happens)
    {
        await using var guard = new CaptureGuard(_watch, new FakeTimeProvider());
        await using CapturedDisks captured = NewDisks();
        guard.Begin(captured, "web", () => null, TimeSpan.FromMinutes(1));
        var lost = new TaskCompletionSource();
        using CancellationTokenRegistration registration = captured.Lost.Register(lost.SetResult);

        happens();

        await lost.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        return captured.LostReason!;
    }
}
