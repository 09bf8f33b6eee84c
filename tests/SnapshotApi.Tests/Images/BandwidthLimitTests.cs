using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Images;

namespace SnapshotApi.Tests.Images;

public sealed class BandwidthLimitTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Bytes_per_second_are_what_was_asked_for()
    {
        var time = new FakeTimeProvider();
        DateTimeOffset start = time.GetUtcNow();
        var limit = new BandwidthLimit(time, 1000);

        for (int i = 0; i < 100; i++)
        {
            await AdvanceUntilDoneAsync(time, limit.WaitAsync(100, Token).AsTask());
        }

        Assert.InRange((time.GetUtcNow() - start).TotalSeconds, 9.5, 10.5);
    }

    [Fact]
    public async Task Limit_without_a_rate_of_its_own_holds_those_that_it_lies_within()
    {
        var time = new FakeTimeProvider();
        var job = new BandwidthLimit(time, 1000);
        var node = new BandwidthLimit(time);
        var limit = new BandwidthLimit(time, null, job, node);
        Assert.True(limit.IsLimited);
        await limit.WaitAsync(5000, Token);
        Task second = limit.WaitAsync(1, Token).AsTask();
        bool secondWaits = !second.IsCompleted;

        job.BytesPerSecond = null;
        await AdvanceUntilDoneAsync(time, second);
        bool isLifted = !limit.IsLimited;
        node.BytesPerSecond = 1000;

        Assert.True(secondWaits);
        Assert.True(isLifted);
        Assert.True(limit.IsLimited);
    }

    [Fact]
    public async Task Piece_larger_than_the_burst_is_paid_off_afterwards()
    {
        var time = new FakeTimeProvider();
        var limit = new BandwidthLimit(time, 1000);

        Task first = limit.WaitAsync(5000, Token).AsTask();
        Task second = limit.WaitAsync(1, Token).AsTask();
        bool secondWaits = !second.IsCompleted;
        DateTimeOffset start = time.GetUtcNow();
        await AdvanceUntilDoneAsync(time, second);

        Assert.True(first.IsCompleted);
        Assert.True(secondWaits);
        Assert.InRange((time.GetUtcNow() - start).TotalSeconds, 4.9, 5.3);
    }

    [Fact]
    public async Task Changed_limit_frees_who_waits()
    {
        var time = new FakeTimeProvider();
        var limit = new BandwidthLimit(time, 1);
        await limit.WaitAsync(1_000_000, Token);
        Task waiting = limit.WaitAsync(1, Token).AsTask();

        limit.BytesPerSecond = null;
        DateTimeOffset start = time.GetUtcNow();
        await AdvanceUntilDoneAsync(time, waiting);

        Assert.True(time.GetUtcNow() - start <= TimeSpan.FromMilliseconds(250));
    }

    [Fact]
    public async Task No_limit_never_waits()
    {
        var limit = new BandwidthLimit(new FakeTimeProvider());

        await limit.WaitAsync(long.MaxValue, Token);

        Assert.Null(limit.BytesPerSecond);
    }

    [Fact]
    public void Limit_below_one_byte_is_refused()
    {
        var limit = new BandwidthLimit(new FakeTimeProvider());

        Assert.Throws<ArgumentOutOfRangeException>(() => limit.BytesPerSecond = 0);
    }

    private static async Task AdvanceUntilDoneAsync(FakeTimeProvider time, Task work)
    {
        while (!work.IsCompleted)
        {
            time.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Yield();
        }

        await work;
    }
}
