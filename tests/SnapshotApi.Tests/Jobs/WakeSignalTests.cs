using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Jobs;

namespace SnapshotApi.Tests.Jobs;

public sealed class WakeSignalTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly WakeSignal _signal;

    public WakeSignalTests()
    {
        _signal = new WakeSignal(_time);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Set_before_the_wait_ends_it_at_once_and_only_that_one()
    {
        _signal.Set();
        _signal.Set();

        Assert.True(await _signal.WaitAsync(TimeSpan.FromDays(1), Token));

        Task<bool> second = _signal.WaitAsync(TimeSpan.FromSeconds(1), Token);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(await second);
    }

    [Fact]
    public async Task Set_during_the_wait_ends_it()
    {
        Task<bool> wait = _signal.WaitAsync(TimeSpan.FromDays(1), Token);

        _signal.Set();

        Assert.True(await wait);
    }

    [Fact]
    public async Task A_cancelled_wait_throws()
    {
        using var cancel = new CancellationTokenSource();
        Task<bool> wait = _signal.WaitAsync(TimeSpan.FromDays(1), cancel.Token);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait);
    }
}
