using System.Diagnostics;
using SnapshotApi.Captures;
using SnapshotApi.Images;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>A copy may take as long as it likes while it moves, and keeps to the limits of its job and its node.</summary>
public sealed class SlowCopyTests
{
    private static readonly TimeSpan Stall = TimeSpan.FromSeconds(3);

    [Fact(Timeout = 300_000)]
    public async Task A_slow_copy_outlives_many_stall_limits_and_the_limit_of_the_node_holds_for_two_jobs_together()
    {
        await using LabGuest first = await LabGuest.StartAsync("--disk-size", "256M", "--no-agent");
        await using LabGuest second = await LabGuest.StartAsync("--disk-size", "256M", "--off");
        await using var node = new NodeUnderTest(configure: o => (o.StallTimeout, o.BandwidthBytesPerSecond) = (Stall, 3 << 20));
        long start = Stopwatch.GetTimestamp();

        RecordingObserver[] seen = await Task.WhenAll(
            node.SnapshotAsync(first.Id, new SnapshotRequest("s") { Mode = SnapshotMode.Backup }, TestContext.Current.CancellationToken),
            node.SnapshotAsync(second.Id, new SnapshotRequest("s") { Format = ImageFormat.Qcow2 }, TestContext.Current.CancellationToken));

        // What a rate makes impossible can be asserted: less time than the bytes need.
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        long bytes = seen.Sum(s => Assert.Single(s.Images).SizeBytes);
        Assert.True(elapsed > 3 * Stall, $"{elapsed}");
        Assert.True(bytes / elapsed.TotalSeconds < 1.5 * (3 << 20), $"{bytes} bytes in {elapsed}");
    }

    [Fact(Timeout = 300_000)]
    public async Task A_mirror_follows_a_limit_that_is_lifted_while_it_copies()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--disk-format", "raw", "--no-agent");
        await using var node = new NodeUnderTest(configure: o => o.StallTimeout = Stall);

        // At this rate the copy alone would take longer than the test may.
        var bandwidth = new BandwidthLimit(TimeProvider.System, 256 << 10);
        node.Bandwidth = bandwidth;
        var observer = new RecordingObserver();
        observer.OnAdvanced = done =>
        {
            if (done > 0)
            {
                bandwidth.BytesPerSecond = null;
            }
        };

        RecordingObserver seen = await node.SnapshotAsync(
            guest.Id, new SnapshotRequest("m") { Mode = SnapshotMode.Mirror }, TestContext.Current.CancellationToken, observer);

        Assert.Equal(CaptureKind.Mirror, seen.Plan!.Capture);
        Assert.Single(seen.Images);
        Assert.Null(bandwidth.BytesPerSecond);
        await guest.AssertCleanAsync();
        node.AssertNoLeftovers();
    }
}
