using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Errors;
using SnapshotApi.Host;

namespace SnapshotApi.Tests.Host;

public sealed class SpaceWatchTests
{
    private const long Everything = 1L << 50;

    private readonly FakeTimeProvider _time = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void What_would_take_the_reserve_is_refused_with_the_place()
    {
        var watch = new SpaceWatch(Path.GetTempPath(), Everything, "the directory store");

        var e = Assert.Throws<SnapshotException>(() => watch.Require("the image", 5 << 20));

        Assert.Equal(SnapshotErrorCode.NoSpace, e.Code);
        Assert.StartsWith("the image needs 5 MiB in the directory store, ", e.Message, StringComparison.Ordinal);
        Assert.EndsWith("are kept for running guests", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_writer_is_stopped_when_space_runs_low()
    {
        var watch = new SpaceWatch(Path.GetTempPath(), Everything, "the directory store");
        Task<int> writing = watch.RunAsync("the image", WriteForeverAsync, _time, Token);

        _time.Advance(TimeSpan.FromSeconds(1));

        var e = await Assert.ThrowsAsync<SnapshotException>(() => writing);
        Assert.Equal(
            (SnapshotErrorCode.NoSpace, "the directory store has no space left for the image"), (e.Code, e.Message));
    }

    [Fact]
    public async Task A_writer_with_room_is_left_alone_and_its_failure_is_its_own()
    {
        var watch = new SpaceWatch(Path.GetTempPath(), 0, "the directory store");

        Assert.Equal(7, await watch.RunAsync("the image", _ => Task.FromResult(7), _time, Token));
        await Assert.ThrowsAsync<TimeoutException>(
            () => watch.RunAsync<int>("the image", _ => throw new TimeoutException(), _time, Token));
    }

    [Fact]
    public async Task A_cancellation_stays_one_when_space_is_low()
    {
        var watch = new SpaceWatch(Path.GetTempPath(), Everything, "the directory store");
        using var user = new CancellationTokenSource();
        Task<int> writing = watch.RunAsync("the image", WriteForeverAsync, _time, user.Token);

        await user.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);
    }

    [Fact]
    public async Task A_directory_that_is_gone_stops_nothing()
    {
        var watch = new SpaceWatch("/nowhere/at/all", Everything, "the directory store");
        var end = new TaskCompletionSource<int>();
        Task<int> writing = watch.RunAsync("the image", _ => end.Task, _time, Token);

        _time.Advance(TimeSpan.FromSeconds(1));
        end.SetResult(1);

        Assert.Equal(1, await writing);
    }

    [Fact]
    public void A_writer_of_ours_stops_before_a_backup_has_to()
    {
        var watch = new SpaceWatch(Path.GetTempPath(), 512 << 20, "the directory store");

        Assert.Equal(768 << 20, watch.KeptBytes);
    }

    private static async Task<int> WriteForeverAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        return 0;
    }
}
