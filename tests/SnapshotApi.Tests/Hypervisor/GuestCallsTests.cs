using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Tests.Hypervisor;

public sealed class GuestCallsTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new();
    private readonly GuestCalls _calls;
    private readonly Guid _guest = Guid.NewGuid();

    public GuestCallsTests() => _calls = new GuestCalls(_time);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_that_hangs_is_left_known_and_the_next_comes_after_it()
    {
        var hanging = new TaskCompletionSource<int>();
        bool secondBegan = false;
        Task<int> first = ChangeAsync(() => hanging.Task);
        _time.Advance(Limit);

        var e = await Assert.ThrowsAsync<SnapshotException>(() => first);
        Task<int> second = ChangeAsync(() =>
        {
            secondBegan = true;
            return Task.FromResult(2);
        });

        Assert.Equal(SnapshotErrorCode.TimedOut, e.Code);
        Assert.Contains("virDomainSuspend", e.Message, StringComparison.Ordinal);
        Assert.False(secondBegan);
        Assert.Equal(Limit, _calls.InFlightFor(_guest, GuestCallKind.Change));
        hanging.SetResult(1);
        Assert.Equal(2, await second);
        Assert.Null(_calls.InFlightFor(_guest, GuestCallKind.Change));
    }

    [Fact]
    public async Task A_call_that_waited_in_vain_for_the_one_before_is_never_made()
    {
        var hanging = new TaskCompletionSource<int>();
        bool secondBegan = false;
        Task<int> first = ChangeAsync(() => hanging.Task);
        using var giveUp = new CancellationTokenSource();
        Task<int> second = _calls.RunAsync(
            _guest,
            GuestCallKind.Change,
            "virDomainResume",
            () =>
            {
                secondBegan = true;
                return Task.FromResult(2);
            },
            Limit,
            giveUp.Token);

        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        hanging.SetResult(1);
        await first;
        await _calls.WaitAsync(_guest, GuestCallKind.Change, Token);

        Assert.False(secondBegan);
    }

    [Fact]
    public async Task Other_guests_and_other_kinds_of_calls_do_not_wait()
    {
        var hanging = new TaskCompletionSource<int>();
        Task<int> first = ChangeAsync(() => hanging.Task);

        int other = await _calls.RunAsync(
            Guid.NewGuid(), GuestCallKind.Change, "virDomainResume", () => Task.FromResult(3), Limit, Token);
        int agent = await _calls.RunAsync(
            _guest, GuestCallKind.Agent, "virDomainQemuAgentCommand", () => Task.FromResult(4), Limit, Token);

        Assert.Equal((3, 4), (other, agent));
        hanging.SetResult(1);
        await first;
    }

    [Fact]
    public async Task A_call_that_fails_makes_room_for_the_next()
    {
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => ChangeAsync(() => Task.FromException<int>(new InvalidOperationException())));

        Assert.Equal(2, await ChangeAsync(() => Task.FromResult(2)));
    }

    private Task<int> ChangeAsync(Func<Task<int>> call) =>
        _calls.RunAsync(_guest, GuestCallKind.Change, "virDomainSuspend", call, Limit, Token);
}
