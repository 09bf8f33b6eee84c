using SnapshotApi.Captures;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>What the guest waits for in a cold capture: its save, a clone where the file system can, else a copy, and its start.</summary>
public sealed class ColdDowntimeTests
{
    [Theory(Timeout = 240_000)]
    [InlineData("btrfs", true)]
    [InlineData("ext4", false)]
    public async Task The_top_layer_is_cloned_beside_the_disk_or_else_copied(string fileSystem, bool clones)
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--fs", fileSystem, "--writer", "1M");
        await using var node = new NodeUnderTest();
        string besideDisk = Path.GetDirectoryName(await guest.DiskPathAsync())!;
        var seen = new Layers(besideDisk, node);

        RecordingObserver snapshot = await node.SnapshotAsync(
            guest.Id, new SnapshotRequest("c") { Mode = SnapshotMode.Cold }, TestContext.Current.CancellationToken, seen.Observer);

        Assert.Equal(clones ? (1, 0) : (0, 1), (seen.BesideDisk.Count, seen.InWorkDirectory.Count));
        Assert.Equal(clones, seen.AreShared);
        AssertParts(snapshot.Downtime);
        await AssertIsWellAsync(guest, node, snapshot);
        Assert.Empty(Layers.In(besideDisk));
    }

    [Fact(Timeout = 240_000)]
    public async Task A_work_directory_that_can_hold_the_clone_holds_it_and_two_disks_are_cloned()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--fs", "xfs", "--fs-size", "2G", "--disks", "2");
        string besideDisk = Path.GetDirectoryName(await guest.DiskPathAsync())!;
        await using var node = new NodeUnderTest(Path.Combine(besideDisk, "w"));
        var seen = new Layers(besideDisk, node);

        RecordingObserver snapshot = await node.SnapshotAsync(
            guest.Id, new SnapshotRequest("c") { Mode = SnapshotMode.Cold, Disks = ["all"] }, TestContext.Current.CancellationToken, seen.Observer);

        Assert.Equal((0, 2), (seen.BesideDisk.Count, seen.InWorkDirectory.Count));
        Assert.True(seen.AreShared);
        AssertParts(snapshot.Downtime);
        await AssertIsWellAsync(guest, node, snapshot);
    }

    [Fact(Timeout = 240_000)]
    public async Task With_an_internal_snapshot_the_reading_of_the_image_is_told_as_the_copy()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();
        var names = new List<string>();
        string disk = await guest.DiskPathAsync();
        var observer = new RecordingObserver();
        observer.OnStep = step =>
        {
            if (step == SnapshotStep.Uploading)
            {
                names.Add(Shell.RunAsync("qemu-img", "snapshot", "-U", "-l", disk).GetAwaiter().GetResult());
            }
        };

        RecordingObserver seen = await node.SnapshotAsync(
            guest.Id,
            new SnapshotRequest("i") { Mode = SnapshotMode.Cold, InternalSnapshot = true },
            TestContext.Current.CancellationToken,
            observer);

        Assert.Contains("snapshotapi-", Assert.Single(names), StringComparison.Ordinal);
        AssertParts(seen.Downtime);
        Assert.DoesNotContain(SnapshotStep.Resuming, seen.Steps);
        Assert.DoesNotContain("snapshotapi-", await Shell.RunAsync("qemu-img", "snapshot", "-U", "-l", disk), StringComparison.Ordinal);
        await AssertIsWellAsync(guest, node, seen);
    }

    [Fact(Timeout = 240_000)]
    public async Task A_server_that_is_off_has_no_downtime()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--off");
        await using var node = new NodeUnderTest();

        RecordingObserver seen = await node.SnapshotAsync(guest.Id, new SnapshotRequest("off"), TestContext.Current.CancellationToken);

        Assert.Equal(GuestDowntime.None, seen.Downtime);
    }

    private static void AssertParts(GuestDowntime downtime)
    {
        DowntimeParts parts = Assert.IsType<DowntimeParts>(downtime.Parts);
        Assert.True(parts.Save > TimeSpan.Zero && parts.Copy > TimeSpan.Zero && parts.Restore > TimeSpan.Zero, $"{parts}");
        Assert.Equal(downtime.Total, parts.Save + parts.Copy + parts.Restore);
        TestContext.Current.TestOutputHelper?.WriteLine($"{downtime.Total.TotalMilliseconds:0} ms: {parts}");
    }

    private static async Task AssertIsWellAsync(LabGuest guest, NodeUnderTest node, RecordingObserver seen)
    {
        Assert.Equal("running", await guest.StateAsync());
        await guest.AssertBeatingAsync();
        Assert.Equal(guest.Heartbeats().Order(), guest.Heartbeats());
        Assert.DoesNotContain("WRITE ERROR", guest.Log, StringComparison.Ordinal);
        await guest.AssertCleanAsync();
        node.AssertNoLeftovers();
        Assert.Contains("DISK OK", await LabGuest.BootAsync("qcow2", [.. seen.Images.Select(node.ImagePath)]), StringComparison.Ordinal);
    }

    /// <summary>Looks, as the guest is about to be started, where the copies of its top layers are and whether they share its extents.</summary>
    private sealed class Layers
    {
        public Layers(string besideDisk, NodeUnderTest node) => Observer = new RecordingObserver
        {
            OnStep = step =>
            {
                if (step == SnapshotStep.Resuming)
                {
                    BesideDisk.AddRange(In(besideDisk));
                    InWorkDirectory.AddRange(
                        Directory.EnumerateFiles(Path.Combine(node.WorkDirectory, "run"), "*.layer", SearchOption.AllDirectories));
                    AreShared = BesideDisk.Concat(InWorkDirectory).All(IsShared);
                }
            },
        };

        public RecordingObserver Observer { get; }

        public List<string> BesideDisk { get; } = [];

        public List<string> InWorkDirectory { get; } = [];

        public bool AreShared { get; private set; }

        public static IEnumerable<string> In(string directory) => Directory.EnumerateFiles(directory, ".snapshotapi-*");

        private static bool IsShared(string path) =>
            Shell.RunAsync("filefrag", "-v", path).GetAwaiter().GetResult().Contains("shared", StringComparison.Ordinal);
    }
}
