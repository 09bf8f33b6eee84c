using System.Security.Cryptography;
using SnapshotApi.Captures;
using SnapshotApi.Images;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>Promise 2: each capture, each format, each kind of disk; the image is the disk.</summary>
public sealed class TrueImageTests
{
    public static TheoryData<string[]> Disks => new()
    {
        new[] { "--disk-format", "qcow2", "--chain", "3" },
        new[] { "--disk-format", "raw" },
        new[] { "--disk-format", "block" },
    };

    private static readonly ImageSpec[] Usual = [new(ImageFormat.Qcow2), new(ImageFormat.Raw)];

    private static readonly ImageSpec[] All =
    [
        .. Usual,
        new(ImageFormat.Qcow2, Sparsify: Sparsify.Always),
        new(ImageFormat.Qcow2, Compression.Zstd),
        new(ImageFormat.Qcow2, Compression.Zlib, 1),
        new(ImageFormat.Vmdk),
        new(ImageFormat.Vdi),
        new(ImageFormat.Vhdx),
    ];

    [Theory(Timeout = 420_000)]
    [MemberData(nameof(Disks))]
    public async Task The_image_of_an_idle_guest_is_its_disk_standalone_and_with_the_recorded_digest(string[] arguments)
    {
        await using LabGuest guest = await LabGuest.StartAsync(["--disk-size", "256M", "--data", "24M", .. arguments]);
        await using var node = new NodeUnderTest();
        string definition = await guest.DefinitionAsync();
        await guest.VirshAsync("domfsfreeze");
        await guest.VirshAsync("domfsthaw");

        foreach (SnapshotMode mode in new[] { SnapshotMode.Backup, SnapshotMode.Mirror, SnapshotMode.Cold })
        {
            foreach (ImageSpec spec in arguments.Contains("qcow2") ? All : Usual)
            {
                RecordingObserver seen = await node.SnapshotAsync(
                    guest.Id,
                    new SnapshotRequest("true")
                    {
                        Mode = mode,
                        Format = spec.Format,
                        Compression = spec.Compression,
                        CompressionLevel = spec.CompressionLevel,
                        Sparsify = spec.Sparsify,
                        Quiesce = QuiesceMode.Never,
                    },
                    TestContext.Current.CancellationToken);

                Assert.Equal(mode.ToString(), seen.Plan!.Capture.ToString());
                StoredImage image = Assert.Single(seen.Images);
                Assert.Equal(spec.Format, image.Format);
                await AssertIsDiskAsync(node.ImagePath(image), image, guest);
                node.AssertNoLeftovers();
                await guest.AssertCleanAsync();
                Assert.Equal("running", await guest.StateAsync());
                File.Delete(node.ImagePath(image));
            }
        }

        Assert.Equal(definition, await guest.DefinitionAsync());
        await guest.AssertBeatingAsync();
    }

    [Fact(Timeout = 180_000)]
    public async Task A_block_device_full_of_zeros_becomes_a_qcow2_as_small_as_qemu_img_makes_it()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "2G", "--data", "300M", "--disk-format", "block");
        await using var node = new NodeUnderTest();

        RecordingObserver seen = await node.SnapshotAsync(
            guest.Id, new SnapshotRequest("sparse") { Format = ImageFormat.Qcow2, Quiesce = QuiesceMode.Never }, TestContext.Current.CancellationToken);

        StoredImage image = Assert.Single(seen.Images);
        await AssertIsDiskAsync(node.ImagePath(image), image, guest);
        string theirs = Path.Combine(node.StoreDirectory, "theirs.qcow2");
        await guest.VirshAsync("suspend");
        await Shell.RunAsync("qemu-img", "convert", "-U", "-f", "raw", "-O", "qcow2", await guest.DiskPathAsync(), theirs);
        Assert.InRange(image.SizeBytes, 1, new FileInfo(theirs).Length * 1.02);
        Assert.True(seen.Told.Last().AllocatedBytes > 2L << 29, "the device reports its zeros as data");
    }

    private static async Task AssertIsDiskAsync(string path, StoredImage image, LabGuest guest)
    {
        string format = ImageFormatNames.NameOf(image.Format);
        string info = await Shell.RunAsync("qemu-img", "info", "-f", format, "--output=json", path);
        Assert.DoesNotContain("backing-filename", info, StringComparison.Ordinal);
        if (image.Format is ImageFormat.Qcow2 or ImageFormat.Vdi or ImageFormat.Vmdk or ImageFormat.Vhdx)
        {
            await Shell.RunAsync("qemu-img", "check", "-f", format, path);
        }

        await using (FileStream file = File.OpenRead(path))
        {
            Assert.Equal(image.Digest.Value, Convert.ToHexStringLower(await SHA256.HashDataAsync(file, TestContext.Current.CancellationToken)));
            Assert.Equal(image.SizeBytes, file.Length);
        }

        // The guest is idle: its disk is what it was at the instant. Suspended, so that nothing moves while qemu-img looks.
        await guest.VirshAsync("suspend");
        try
        {
            string disk = await guest.DiskPathAsync();
            string diskFormat = (await guest.VirshAsync("dumpxml")).Contains("type='qcow2'", StringComparison.Ordinal) ? "qcow2" : "raw";
            await Shell.RunAsync("qemu-img", "compare", "-U", "-f", format, "-F", diskFormat, path, disk);
        }
        finally
        {
            await guest.VirshAsync("resume");
        }
    }
}
