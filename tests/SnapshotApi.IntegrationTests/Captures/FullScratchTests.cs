using System.Diagnostics;
using System.Text.RegularExpressions;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>A guest that overwrites more than there is scratch space for never waits: its snapshot fails, it does not.</summary>
public sealed partial class FullScratchTests : IAsyncLifetime
{
    private const long ReservedBytes = 16 << 20;

    private static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(3);

    private string _directory = "";

    // A mount that is made after the guest's start is not seen by its QEMU.
    public async ValueTask InitializeAsync()
    {
        _directory = Directory.CreateDirectory(Path.Combine(Requires.LabDirectory(), $"s{Guid.NewGuid():N}"[..8])).FullName;
        await Shell.RunAsync("mount", "-t", "tmpfs", "-o", "size=48m,mode=0711", "tmpfs", _directory);
    }

    public async ValueTask DisposeAsync()
    {
        await Shell.RunAsync("umount", _directory);
        Directory.Delete(_directory);
    }

    [Theory(Timeout = 240_000)]
    [InlineData(ReservedBytes, false)]
    [InlineData(0, true)]
    public async Task The_backup_ends_and_the_guest_goes_on_writing(long reservedBytes, bool pausesForIoError)
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "512M", "--writer", "16M");
        await using var node = new NodeUnderTest(_directory, o => o.ReservedBytes = reservedBytes);
        string definition = await guest.DefinitionAsync();

        // Only what held data before it is overwritten takes scratch space.
        await WaitForBlockAsync(guest, 17);
        using IServerWatch watch = await node.Hypervisor.WatchServerAsync(guest.Id, TestContext.Current.CancellationToken);
        using var ended = new CancellationTokenSource();
        Task<TimeSpan> gap = MeasureGapAsync(guest, ended.Token);

        var e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id,
            new SnapshotRequest("full") { Mode = SnapshotMode.Backup, BandwidthBytesPerSecond = 512 << 10 },
            TestContext.Current.CancellationToken));

        await WaitForBlockAsync(guest, LastBlock(guest) + 2);
        await ended.CancelAsync();
        Assert.Equal(SnapshotErrorCode.NoSpace, e.Code);
        Assert.Equal(pausesForIoError, watch.IoError.IsCancellationRequested);
        Assert.InRange(await gap, TimeSpan.Zero, LongestGap);
        Assert.DoesNotContain("WRITE ERROR", guest.Log, StringComparison.Ordinal);
        Assert.Equal("running", await guest.StateAsync());
        Assert.Equal(definition, await guest.DefinitionAsync());
        await guest.AssertCleanAsync();
        node.AssertNoLeftovers();
    }

    private static async Task<TimeSpan> MeasureGapAsync(LabGuest guest, CancellationToken ended)
    {
        TimeSpan longest = TimeSpan.Zero;
        long length = new FileInfo(guest.LogPath).Length;
        long since = Stopwatch.GetTimestamp();
        while (true)
        {
            TimeSpan silence = Stopwatch.GetElapsedTime(since);
            longest = silence > longest ? silence : longest;
            if (ended.IsCancellationRequested)
            {
                return longest;
            }

            if (new FileInfo(guest.LogPath).Length is var now && now != length)
            {
                (length, since) = (now, Stopwatch.GetTimestamp());
            }

            await Task.Delay(20, ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task WaitForBlockAsync(LabGuest guest, long block)
    {
        while (LastBlock(guest) < block)
        {
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
    }

    private static long LastBlock(LabGuest guest) =>
        WriteLine().Matches(guest.Log) is [.., var last] ? long.Parse(last.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"^WR (\d+) \d+\r?$", RegexOptions.Multiline)]
    private static partial Regex WriteLine();
}
