using System.Globalization;
using Microsoft.Win32.SafeHandles;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Captures;

/// <summary>The lock against real QEMU tools.</summary>
public sealed class ImageLockTests : IAsyncLifetime
{
    private readonly ScratchDirectory _directory = new();

    private string Path => _directory.File("disk.qcow2");

    private DiskDescription Disk => new(
        "vda", "disk", "file", "qcow2", [new DiskLayer("file", Path, "qcow2")], false, false, false, false, null, null,
        false);

    public async ValueTask InitializeAsync() => await QemuTool.ImgAsync("create", "-q", "-f", "qcow2", Path, "1M");

    public ValueTask DisposeAsync()
    {
        _directory.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact(Timeout = 60_000)]
    public async Task While_it_is_held_a_QEMU_can_read_and_not_write_and_then_it_can()
    {
        using SafeFileHandle file = LinuxFile.OpenReadFollowing(Path);
        using (ImageLock.Take(file, Disk))
        {
            InvalidOperationException e = await Assert.ThrowsAsync<InvalidOperationException>(
                () => QemuTool.IoAsync(Path, "qcow2", "write 0 64k"));

            Assert.Contains("Failed to get \"write\" lock", e.Message, StringComparison.Ordinal);
            await QemuTool.ImgAsync("check", Path);
        }

        await QemuTool.IoAsync(Path, "qcow2", "write 0 64k");
    }

    [Fact(Timeout = 60_000)]
    public async Task A_QEMU_that_writes_is_a_refusal_that_names_it()
    {
        await using var writer = new ImageWriter(Path);
        await writer.OpenAsync();
        using SafeFileHandle file = LinuxFile.OpenReadFollowing(Path);

        Assert.Equal(
            SnapshotErrorCode.StateConflict, Assert.Throws<SnapshotException>(() => ImageLock.Take(file, Disk)).Code);
        SnapshotException e = Assert.Throws<SnapshotException>(() => LayerLocks.RequireNoWriter([Disk]));

        Assert.Equal(SnapshotErrorCode.StateConflict, e.Code);
        Assert.Equal(
            "disk vda is open for writing by process qemu-io "
                + $"({writer.ProcessId.ToString(CultureInfo.InvariantCulture)})",
            e.Message);
    }

    // As on storage that hosts share: there is a lock, and nobody here who has the file open.
    [Theory]
    [InlineData(101)]
    [InlineData(103)]
    [InlineData(200)]
    public void A_writer_on_another_host_is_seen_by_its_lock(long offset)
    {
        using SafeFileHandle elsewhere = LinuxFile.OpenReadFollowing(Path);
        ByteLock.TryShare(elsewhere, offset);

        SnapshotException e = Assert.Throws<SnapshotException>(() => LayerLocks.RequireNoWriter([Disk]));

        Assert.Equal((SnapshotErrorCode.StateConflict, "disk vda is open for writing elsewhere"), (e.Code, e.Message));
        using SafeFileHandle file = LinuxFile.OpenReadFollowing(Path);
        Assert.Throws<SnapshotException>(() => ImageLock.Take(file, Disk));

        // Nothing of a lock that was not taken is left.
        Assert.False(ByteLock.IsHeldElsewhere(elsewhere, 201));
    }

    [Fact]
    public void Other_readers_are_no_writers()
    {
        using SafeFileHandle reader = LinuxFile.OpenReadFollowing(Path);
        using ImageLock other = ImageLock.Take(reader, Disk);
        using SafeFileHandle file = LinuxFile.OpenReadFollowing(Path);

        ImageLock.Take(file, Disk).Dispose();
        LayerLocks.RequireNoWriter([Disk]);
    }
}
