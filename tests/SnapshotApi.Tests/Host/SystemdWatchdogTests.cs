using Microsoft.Extensions.Hosting.Systemd;
using SnapshotApi.Host;

namespace SnapshotApi.Tests.Host;

public sealed class SystemdWatchdogTests
{
    [Fact]
    public void A_pool_that_does_not_answer_lets_the_watchdog_lapse()
    {
        var posted = new Queue<Action>();
        var notifier = new Notifier();
        using var watchdog = new SystemdWatchdog(notifier, TimeSpan.FromSeconds(30), posted.Enqueue);

        watchdog.Beat();
        watchdog.Beat();
        watchdog.Beat();

        Assert.Equal(1, notifier.Count);
        Assert.Single(posted);
    }

    [Fact]
    public void A_pool_that_answers_again_is_told_again()
    {
        var posted = new Queue<Action>();
        var notifier = new Notifier();
        using var watchdog = new SystemdWatchdog(notifier, TimeSpan.FromSeconds(30), posted.Enqueue);

        watchdog.Beat();
        watchdog.Beat();
        posted.Dequeue()();
        watchdog.Beat();

        Assert.Equal(2, notifier.Count);
    }

    [Fact]
    public async Task It_beats_on_a_thread_of_its_own_until_it_is_disposed()
    {
        var notifier = new Notifier(expected: 3);
        var watchdog = new SystemdWatchdog(notifier, TimeSpan.FromMilliseconds(1), work => work());
        await watchdog.StartAsync(TestContext.Current.CancellationToken);
        await watchdog.StopAsync(TestContext.Current.CancellationToken);

        await notifier.Reached.WaitAsync(TestContext.Current.CancellationToken);
        watchdog.Dispose();
        int count = notifier.Count;

        Assert.True(count >= 3);
        Assert.Equal("watchdog", notifier.ThreadName);
        Assert.Equal(count, notifier.Count);
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("", null)]
    [InlineData("0", null)]
    [InlineData("x", null)]
    [InlineData("120000000", "1")]
    public void Where_systemd_does_not_ask_it_is_not_told(string? timeout, string? processId) =>
        Assert.Null(SystemdWatchdog.PeriodOf(timeout, processId));

    [Fact]
    public void It_beats_four_times_in_a_timeout()
    {
        Assert.Equal(TimeSpan.FromSeconds(30), SystemdWatchdog.PeriodOf("120000000", null));
        Assert.Equal(TimeSpan.FromSeconds(30), SystemdWatchdog.PeriodOf("120000000", $"{Environment.ProcessId}"));
    }

    private sealed class Notifier(int expected = int.MaxValue) : ISystemdNotifier
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public Task Reached => _reached.Task;

        public string? ThreadName { get; private set; }

        public bool IsEnabled => true;

        public void Notify(ServiceState state)
        {
            ThreadName = Thread.CurrentThread.Name;
            if (Interlocked.Increment(ref _count) == expected)
            {
                _reached.SetResult();
            }
        }
    }
}
