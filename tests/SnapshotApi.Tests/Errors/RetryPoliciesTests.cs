using Microsoft.Extensions.Time.Testing;
using Polly;
using SnapshotApi.Errors;

namespace SnapshotApi.Tests.Errors;

public sealed class RetryPoliciesTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<double> _delays = [];
    private int _tries;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_database_that_is_away_at_start_is_tried_every_two_seconds()
    {
        Task done = RunAsync(RetryPolicies.DatabaseAtStart(_time, Note), Away(), failures: 3);

        await ElapseAsync(done);

        Assert.Equal([2000, 2000, 2000], _delays);
        Assert.Equal(4, _tries);
    }

    [Fact]
    public async Task Another_failure_is_not_tried_again()
    {
        var broken = new InvalidOperationException("a script failed");

        await Assert.ThrowsAsync<InvalidOperationException>(
            () => RunAsync(RetryPolicies.DatabaseAtStart(_time, Note), broken, failures: 1));

        Assert.Equal(1, _tries);
    }

    [Fact]
    public async Task A_connection_is_tried_less_and_less_often_but_at_least_every_five_seconds()
    {
        Task done = RunAsync(Connecting(), new IOException(), failures: 7);

        await ElapseAsync(done);

        Assert.Equal([200, 400, 800, 1600, 3200, 5000, 5000], _delays);
    }

    [Fact]
    public async Task A_wait_for_a_connection_ends_when_it_is_cancelled()
    {
        using var stop = new CancellationTokenSource();
        Task done = Connecting().ExecuteAsync(_ => throw new IOException(), stop.Token).AsTask();

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => done);
        Assert.Equal([200], _delays);
    }

    [Fact]
    public void A_worker_that_waits_for_its_queue_stops_with_its_token()
    {
        using var stop = new CancellationTokenSource();

        Assert.ThrowsAny<OperationCanceledException>(() => RetryPolicies.Queue(e => e is IOException).Execute(
            _ =>
            {
                stop.Cancel();
                throw new IOException();
            },
            stop.Token));
    }

    [Fact]
    public async Task An_upload_is_tried_three_times_more_and_then_fails_with_its_cause()
    {
        var cut = new SnapshotException(SnapshotErrorCode.StoreFailed, "cut") { IsTransient = true };
        Task done = RunAsync(Upload(), cut, failures: 9);

        Assert.Same(cut, await Assert.ThrowsAsync<SnapshotException>(() => ElapseAsync(done)));
        Assert.Equal([1000, 5000, 15000], _delays);
    }

    [Fact]
    public async Task An_upload_that_was_refused_is_not_tried_again()
    {
        var refused = new SnapshotException(SnapshotErrorCode.StoreFailed, "refused");

        await Assert.ThrowsAsync<SnapshotException>(() => RunAsync(Upload(), refused, failures: 1));

        Assert.Empty(_delays);
    }

    [Fact]
    public async Task An_upload_that_was_cancelled_fails_with_its_cause()
    {
        using var stop = new CancellationTokenSource();
        var cut = new SnapshotException(SnapshotErrorCode.StoreFailed, "cut") { IsTransient = true };

        var error = await Assert.ThrowsAsync<SnapshotException>(() => Upload().ExecuteAsync(
            async _ =>
            {
                await stop.CancelAsync();
                throw cut;
            },
            stop.Token).AsTask());

        Assert.Same(cut, error);
        Assert.Empty(_delays);
    }

    private static SnapshotException Away() => new(SnapshotErrorCode.DatabaseUnavailable, "away");

    private ResiliencePipeline Connecting() => RetryPolicies.Connecting(_time, e => e is IOException, Note);

    private ResiliencePipeline Upload() => RetryPolicies.Upload(_time, args =>
    {
        Note(args.Outcome.Exception!, args.RetryDelay);
        return ValueTask.CompletedTask;
    });

    private void Note(Exception failure, TimeSpan delay) => _delays.Add(delay.TotalMilliseconds);

    private Task RunAsync(ResiliencePipeline pipeline, Exception failure, int failures) =>
        pipeline.ExecuteAsync(_ => _tries++ < failures ? throw failure : ValueTask.CompletedTask, Token).AsTask();

    private async Task ElapseAsync(Task done)
    {
        while (!done.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await done;
    }
}
