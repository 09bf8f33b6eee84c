using SnapshotApi.Errors;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>Store and work directory on one small file system: an image must not take what running backups need.</summary>
public sealed class SharedSpaceTests : IAsyncLifetime
{
    private const long Mebibyte = 1 << 20;

    private string _directory = "";

    // A mount that is made after the guest's start is not seen by its QEMU.
    public async ValueTask InitializeAsync()
    {
        _directory = Directory.CreateDirectory(Path.Combine(Requires.LabDirectory(), $"h{Guid.NewGuid():N}"[..8])).FullName;
        await Shell.RunAsync("mount", "-t", "tmpfs", "-o", "size=192m,mode=0711", "tmpfs", _directory);
    }

    public async ValueTask DisposeAsync()
    {
        await Shell.RunAsync("umount", _directory);
        Directory.Delete(_directory);
    }

    [Theory(Timeout = 240_000)]
    [InlineData("qcow2")]
    [InlineData("vmdk")]
    [InlineData("raw")]
    public async Task An_upload_ends_before_it_takes_the_reserve_and_the_backup_beside_it_goes_on(string format)
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--data", "48M");
        await using LabGuest neighbour = await LabGuest.StartAsync("--disk-size", "256M", "--data", "24M");
        await using NodeUnderTest node = Node();
        await using var elsewhere = new NodeUnderTest(_directory, o => o.ReservedBytes = 32 * Mebibyte);
        string ballast = Path.Combine(_directory, "ballast");
        var observer = new RecordingObserver();
        observer.OnAdvanced = done => Fill(ballast, observer.Steps.LastOrDefault(), done);
        Task<RecordingObserver> backup = elsewhere.SnapshotAsync(
            neighbour.Id, new SnapshotRequest("n") { Mode = SnapshotMode.Backup, BandwidthBytesPerSecond = 3 * Mebibyte }, TestContext.Current.CancellationToken);

        var request = new SnapshotRequest("big")
        {
            Mode = SnapshotMode.Backup,
            BandwidthBytesPerSecond = 6 * Mebibyte,
            Format = SnapshotApi.Images.ImageFormatNames.Find(format),
        };
        var e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(guest.Id, request, TestContext.Current.CancellationToken, observer));

        Assert.Equal((SnapshotErrorCode.NoSpace, "the directory store has no space left for the image"), (e.Code, e.Message));
        Assert.Single((await backup).Images);
        Assert.Equal("running", await guest.StateAsync());
        Assert.Equal("running", await neighbour.StateAsync());
    }

    [Fact(Timeout = 240_000)]
    public async Task An_image_that_would_take_the_reserve_is_refused_before_it_is_begun()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--data", "160M");
        await using NodeUnderTest node = Node();

        var e = await Assert.ThrowsAsync<SnapshotException>(
            () => node.SnapshotAsync(guest.Id, new SnapshotRequest("big") { Mode = SnapshotMode.Backup, Sparsify = SnapshotApi.Images.Sparsify.Never }, TestContext.Current.CancellationToken));

        Assert.Equal(SnapshotErrorCode.NoSpace, e.Code);
        Assert.Contains(" in the directory store, ", e.Message, StringComparison.Ordinal);
        Assert.Equal("running", await guest.StateAsync());
        node.AssertNoLeftovers();
    }

    private NodeUnderTest Node() => new(
        Path.Combine(_directory, "w"), o => o.ReservedBytes = 32 * Mebibyte, o => o.Directory.Path = Path.Combine(_directory, "store"));

    // Leaves less than the 48 MiB that our own writers keep, and more than the 32 of which backups are ended.
    private static void Fill(string path, SnapshotStep step, long done)
    {
        if (step == SnapshotStep.Uploading && done > 2 * Mebibyte && !File.Exists(path))
        {
            long free = new DriveInfo(Path.GetDirectoryName(path)!).AvailableFreeSpace;
            File.WriteAllBytes(path, new byte[Math.Max(free - (44 * Mebibyte), 0)]);
        }
    }
}
