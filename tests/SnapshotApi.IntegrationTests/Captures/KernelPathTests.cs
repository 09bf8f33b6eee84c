using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>Chains of guests that are off, as libvirt and QEMU would open them.</summary>
public sealed class KernelPathTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Timeout = 120_000)]
    public async Task A_relative_backing_file_is_the_one_that_the_kernel_finds()
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        Directory.CreateDirectory(guest.File("real/deep"));
        Directory.CreateDirectory(guest.File("base"));
        Directory.CreateDirectory(guest.File("real/base"));
        Directory.CreateSymbolicLink(guest.File("link"), guest.File("real/deep"));
        await DefinedGuest.CreateImageAsync(guest.File("real/base/b.qcow2"), pattern: 7);
        await DefinedGuest.CreateImageAsync(guest.File("base/b.qcow2"), pattern: 9);
        await DefinedGuest.CreateImageAsync(guest.File("real/deep/top.qcow2"), "../base/b.qcow2", "qcow2");
        await guest.DefineFileAsync(guest.File("link/top.qcow2"));

        await AssertImageAsync(guest, pattern: 7);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("<backingStore/>", 0)]
    [InlineData("<backingStore type='file'><format type='qcow2'/><source file='DIR/mid'/><backingStore/></backingStore>", 0)]
    [InlineData("<backingStore type='file'><format type='qcow2'/><source file='DIR/mid'/></backingStore>", 7)]
    [InlineData("", 7)]
    public async Task The_chain_is_the_definitions(string backing, int pattern)
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        await DefinedGuest.CreateImageAsync(guest.File("base"), pattern: 7);
        await DefinedGuest.CreateImageAsync(guest.File("mid"), "base", "qcow2");
        await DefinedGuest.CreateImageAsync(guest.File("top"), "mid", "qcow2");
        await guest.DefineFileAsync(guest.File("top"), backing: backing.Replace("DIR", guest.Directory, StringComparison.Ordinal));

        await AssertImageAsync(guest, pattern);
    }

    [Theory(Timeout = 180_000)]
    [InlineData("base", false)]
    [InlineData("top", false)]
    [InlineData("both", false)]
    [InlineData("top", true)]
    public async Task Layers_on_block_devices_are_opened_as_such(string where, bool internalSnapshot)
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        string below = where == "top" ? guest.File("base") : await guest.LoopAsync("base");
        await DefinedGuest.CreateImageAsync(below, pattern: 7);
        string top = where == "base" ? guest.File("top") : await guest.LoopAsync("top");
        await DefinedGuest.CreateImageAsync(top, below, "qcow2");
        await guest.DefineAsync(
            where == "base" ? "file" : "block", "qcow2", where == "base" ? $"<source file='{top}'/>" : $"<source dev='{top}'/>");

        await AssertImageAsync(guest, pattern: 7, internalSnapshot);
    }

    [Fact(Timeout = 180_000)]
    public async Task A_raw_base_on_a_device_is_read_although_the_guest_is_off()
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        string device = await guest.LoopAsync("base", mebibytes: 1);
        await Shell.RunAsync("qemu-io", "-f", "raw", "-c", "write -P 7 0 64k", device);
        await DefinedGuest.CreateImageAsync(guest.File("top"), device, "raw");
        await guest.DefineFileAsync(guest.File("top"));

        await AssertImageAsync(guest, pattern: 7);
    }

    [Fact(Timeout = 180_000)]
    public async Task A_volume_is_found_through_its_pool_which_must_be_active()
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        string pool = $"p-{guest.Name}";
        Directory.CreateDirectory(guest.File("pool"));
        await DefinedGuest.CreateImageAsync(guest.File("pool/v.qcow2"), pattern: 7);
        await VirshAsync("pool-define-as", pool, "dir", "--target", guest.File("pool"));
        try
        {
            await VirshAsync("pool-start", pool);
            await guest.DefineAsync("volume", "qcow2", $"<source pool='{pool}' volume='v.qcow2'/>");
            await AssertImageAsync(guest, pattern: 7);

            await VirshAsync("start", guest.Name);
            await AssertImageAsync(guest, pattern: 7, mode: SnapshotMode.Mirror);
            await AssertImageAsync(guest, pattern: 7, mode: SnapshotMode.Cold);
            await AssertImageAsync(guest, pattern: 7, mode: SnapshotMode.Backup);
            await VirshAsync("destroy", guest.Name);
            await VirshAsync("pool-destroy", pool);
            SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => AssertImageAsync(guest, pattern: 7));
            Assert.Equal(SnapshotErrorCode.UnsupportedDisk, e.Code);
            Assert.Contains($"storage pool '{pool}', which is not active", e.Message, StringComparison.Ordinal);

            // One guest's trouble hides no other.
            await using DefinedGuest other = DefinedGuest.Create();
            await DefinedGuest.CreateImageAsync(other.File("disk"));
            await other.DefineFileAsync(other.File("disk"));
            await using var node = new NodeUnderTest();
            IReadOnlyList<ServerDescription> servers = await node.Hypervisor.ListServersAsync(TestContext.Current.CancellationToken);
            Assert.Contains(servers, s => s.Id == other.Id && s.Disks[0].Layers[0].PathObstacle is null);
            Assert.Contains(servers, s => s.Id == guest.Id && s.Disks[0].Layers[0].PathObstacle is not null);
        }
        finally
        {
            await Shell.TryAsync("virsh", "-c", "qemu:///system", "pool-destroy", pool);
            await VirshAsync("pool-undefine", pool);
        }
    }

    [Theory(Timeout = 300_000)]
    [InlineData(70, "1M")]
    [InlineData(60, "300G")]
    [InlineData(200, "1M")]
    public async Task A_long_chain_of_a_guest_that_is_off_is_captured(int count, string size)
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        await DefinedGuest.CreateImageAsync(guest.File("0"), pattern: 7, size: size);
        for (int i = 1; i < count; i++)
        {
            await DefinedGuest.CreateImageAsync(guest.File($"{i}"), $"{i - 1}", "qcow2", size: size);
        }

        await guest.DefineFileAsync(guest.File($"{count - 1}"));

        await AssertImageAsync(guest, pattern: 7);
    }

    private static Task<string> VirshAsync(params string[] arguments) => Shell.RunAsync("virsh", ["-c", "qemu:///system", .. arguments]);

    private static async Task AssertImageAsync(DefinedGuest guest, int pattern, bool internalSnapshot = false, SnapshotMode mode = SnapshotMode.Auto)
    {
        await using var node = new NodeUnderTest();
        RecordingObserver seen = await node.SnapshotAsync(
            guest.Id, new SnapshotRequest("paths") { Format = ImageFormat.Qcow2, InternalSnapshot = internalSnapshot, Mode = mode }, Token);

        string image = node.ImagePath(Assert.Single(seen.Images));
        string read = await Shell.RunAsync("qemu-io", "-f", "qcow2", "-r", "-c", $"read -P {pattern} 0 64k", image);
        Assert.DoesNotContain("failed", read, StringComparison.Ordinal);
        Assert.DoesNotContain("backing", await Shell.RunAsync("qemu-img", "info", "--output=json", image), StringComparison.Ordinal);
        node.AssertNoLeftovers();
    }
}
