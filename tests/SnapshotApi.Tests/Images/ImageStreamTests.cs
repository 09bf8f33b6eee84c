using SnapshotApi.Images;
using SnapshotApi.Tests.Nbd;
using SnapshotApi.Tools;

namespace SnapshotApi.Tests.Images;

public sealed class ImageStreamTests
{
    [Fact]
    public async Task The_zeros_of_a_raw_image_are_told_while_they_are_hashed()
    {
        using var scratch = new ScratchDirectory();
        string disk = scratch.File("disk.qcow2");
        await QemuTool.ImgAsync("create", "-f", "qcow2", disk, "64M");
        await using NbdServer server = await NbdServer.QemuNbdAsync(disk, "qcow2");
        var opener = new ImageOpener(new QemuImg(new ChildProcess(Microsoft.Extensions.Logging.Abstractions.NullLogger<ChildProcess>.Instance)));
        await using DiskImage image = await opener.OpenAsync(
            new NbdEndpoint(server.SocketPath, ""), new ImageSpec(ImageFormat.Raw), spool: null, new ImageStreamOptions(), TestContext.Current.CancellationToken);
        var progress = new RecordedProgress();

        using var digesting = new DigestingSink(new MemorySink(), "sha256");
        await Assert.IsAssignableFrom<OrderedImage>(image).CopyToAsync(digesting, progress, TestContext.Current.CancellationToken);

        Assert.Equal((0L, 64L << 20), (image.DataBytes, image.WorkBytes));
        Assert.Equal(8, progress.Reports.Count);
        Assert.Equal(progress.Reports.Order(), progress.Reports);
        Assert.Equal(64L << 20, progress.Reports[^1]);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string[]> Shapes => new()
    {
        { "512", ["write -P 7 0 512"] },
        { "8M", [] },
        { "8M", ["write -P 7 0 8M"] },
        { "8390144", ["write -P 7 8388608 1536"] },
        { "64M", [.. Enumerable.Range(0, 400).Select(i => $"write -P {1 + (i % 250)} {i * 160}k 4k")] },
        { "1200M", ["write -P 7 100M 5M", "write -P 8 600M 64k"] },
        { "16M", ["write -P 7 0 4M", "write -z 1M 1M"] },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Qcow2_is_clean_and_identical_to_the_disk(string size, string[] writes)
    {
        using var scratch = new ScratchDirectory();
        string disk = await MakeAsync(scratch, size, writes);

        string image = await CopyAsync(scratch, disk, ImageFormat.Qcow2);

        await AssertIdenticalAsync(disk, image, ImageFormat.Qcow2);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Raw_is_identical_to_the_disk(string size, string[] writes)
    {
        using var scratch = new ScratchDirectory();
        string disk = await MakeAsync(scratch, size, writes);

        string image = await CopyAsync(scratch, disk, ImageFormat.Raw);

        await AssertIdenticalAsync(disk, image, ImageFormat.Raw);
    }

    [Fact]
    public async Task Sparse_terabyte_becomes_a_small_qcow2()
    {
        using var scratch = new ScratchDirectory();
        string disk = await MakeAsync(scratch, "1T", ["write -P 7 0 64k", "write -P 9 1099511562240 64k"]);

        string image = await CopyAsync(scratch, disk, ImageFormat.Qcow2);

        Assert.Equal((1 + 1 + 1 + 1 + 2 + 2) * 65536, new FileInfo(image).Length);
        await AssertIdenticalAsync(disk, image, ImageFormat.Qcow2);
    }

    [Fact]
    public async Task Disk_that_fills_more_than_one_refcount_block_is_clean_and_identical()
    {
        using var scratch = new ScratchDirectory();
        await QemuTool.ImgAsync("create", "-f", "raw", scratch.File("disk.raw"), "2304M");
        await QemuTool.IoAsync(scratch.File("disk.raw"), "raw", "write -P 7 5M 1M", "write -P 8 2047M 2M", "write -P 9 2303M 1M");
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=noextents", "file", scratch.File("disk.raw"));
        await using OrderedImage stream = await OpenAsync(server, ImageFormat.Qcow2, new ImageStreamOptions());
        using var sink = new SparseFileSink(scratch.File("image"));

        await stream.CopyToAsync(sink, new RecordedProgress(), Token);

        Assert.Equal(2304L << 20, stream.DataBytes);
        await AssertIdenticalAsync(scratch.File("disk.raw"), scratch.File("image"), ImageFormat.Qcow2, "raw");
    }

    [Theory]
    [InlineData(ImageFormat.Qcow2)]
    [InlineData(ImageFormat.Raw)]
    internal async Task Chain_of_three_overlays_becomes_one_standalone_image(ImageFormat format)
    {
        using var scratch = new ScratchDirectory();
        string below = await MakeAsync(scratch, "200M", ["write -P 1 0 50M", "write -P 1 150M 1M"]);
        for (int layer = 1; layer <= 3; layer++)
        {
            string overlay = scratch.File($"layer{layer}.qcow2");
            await QemuTool.ImgAsync("create", "-f", "qcow2", "-b", below, "-F", "qcow2", overlay);
            await QemuTool.IoAsync(overlay, "qcow2", $"write -P {1 + layer} {layer * 10}M 5M", $"write -z {layer * 12}M 64k");
            below = overlay;
        }

        string image = await CopyAsync(scratch, below, format);

        await AssertIdenticalAsync(below, image, format);
    }

    [Theory]
    [InlineData(ImageFormat.Qcow2)]
    [InlineData(ImageFormat.Raw)]
    internal async Task Disk_that_is_a_raw_file_keeps_its_bytes_whatever_they_look_like(ImageFormat format)
    {
        using var scratch = new ScratchDirectory();
        string disk = scratch.File("disk.raw");
        string hostile = await MakeAsync(scratch, "1M", []);
        File.Copy(hostile, disk);
        await QemuTool.ImgAsync("resize", "-f", "raw", disk, "3M");

        string image = await CopyAsync(scratch, disk, format, "raw");

        await AssertIdenticalAsync(disk, image, format, "raw");
    }

    [Fact]
    public async Task Server_without_block_status_gives_all_of_its_bytes()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("--no-sr", "pattern", "3M");
        await using OrderedImage stream = await OpenAsync(server, ImageFormat.Raw, new ImageStreamOptions());
        var sink = new MemorySink();

        await stream.CopyToAsync(sink, new RecordedProgress(), Token);

        Assert.Equal(3 << 20, stream.DataBytes);
        NbdConnectionTests.AssertPattern(sink.Bytes, 0);
    }

    [Theory]
    [InlineData(1, 64 * 1024, 2 * 1024 * 1024)]
    [InlineData(1, 1024 * 1024, 16 * 1024 * 1024)]
    [InlineData(3, 192 * 1024, 2 * 1024 * 1024)]
    [InlineData(8, 512 * 1024, 32 * 1024 * 1024)]
    public async Task Bytes_come_in_order_with_any_number_of_connections_and_buffers(int connections, int requestBytes, int buffersBytes)
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("--threads=16", "pattern", "100M");
        var options = new ImageStreamOptions
        {
            Connections = connections,
            RequestSizeBytes = requestBytes,
            MaxBuffersBytes = buffersBytes,
        };
        await using OrderedImage stream = await OpenAsync(server, ImageFormat.Raw, options);
        var sink = new MemorySink();
        var progress = new RecordedProgress();

        await stream.CopyToAsync(sink, progress, Token);

        Assert.Equal(100 << 20, sink.Bytes.Length);
        NbdConnectionTests.AssertPattern(sink.Bytes, 0);
        Assert.Equal(progress.Reports.Order(), progress.Reports);
        Assert.Equal(stream.WorkBytes, progress.Reports[^1]);
    }

    [Fact]
    public async Task Lengths_are_known_before_the_copy()
    {
        using var scratch = new ScratchDirectory();
        string disk = await MakeAsync(scratch, "1G", ["write -P 7 600M 1M"]);
        await using NbdServer server = await NbdServer.QemuNbdAsync(disk, "qcow2");

        await using OrderedImage qcow2 = await OpenAsync(server, ImageFormat.Qcow2, new ImageStreamOptions());
        await using OrderedImage raw = await OpenAsync(server, ImageFormat.Raw, new ImageStreamOptions());

        Assert.Equal((1L << 30, 1L << 20, (1 + 1 + 1 + 1 + 1 + 16) * 65536L), (qcow2.VirtualSizeBytes, qcow2.DataBytes, qcow2.LengthBytes));
        Assert.Equal((1L << 30, 1L << 20, 1L << 30), (raw.VirtualSizeBytes, raw.DataBytes, raw.LengthBytes));
    }

    [Fact]
    public async Task Holes_reach_the_sink_as_zeros()
    {
        using var scratch = new ScratchDirectory();
        string disk = await MakeAsync(scratch, "20M", ["write -P 7 10M 1M"]);
        await using NbdServer server = await NbdServer.QemuNbdAsync(disk, "qcow2");
        await using OrderedImage stream = await OpenAsync(server, ImageFormat.Raw, new ImageStreamOptions());
        var sink = new MemorySink();

        await stream.CopyToAsync(sink, new RecordedProgress(), Token);

        Assert.Equal(19 << 20, sink.ZerosBytes);
    }

    [Fact]
    public async Task Size_that_is_no_whole_sector_is_padded_in_qcow2_only()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("data", "data=@0 1 2 3", "size=1000");
        await using OrderedImage qcow2 = await OpenAsync(server, ImageFormat.Qcow2, new ImageStreamOptions());
        await using OrderedImage raw = await OpenAsync(server, ImageFormat.Raw, new ImageStreamOptions());
        var sink = new MemorySink();

        await raw.CopyToAsync(sink, new RecordedProgress(), Token);

        Assert.Equal(1024, qcow2.VirtualSizeBytes);
        Assert.Equal(1000, sink.Bytes.Length);
        Assert.Equal([1, 2, 3, 0], sink.Bytes[..4]);
    }

    [Fact]
    public async Task An_image_is_the_same_when_it_is_copied_again_after_a_copy_that_failed()
    {
        using var scratch = new ScratchDirectory();
        string disk = await MakeAsync(scratch, "64M", ["write -P 7 1M 20M", "write -P 8 50M 64k"]);
        await using NbdServer server = await NbdServer.QemuNbdAsync(disk, "qcow2");
        foreach (ImageFormat format in new[] { ImageFormat.Qcow2, ImageFormat.Raw })
        {
            await using OrderedImage image = await OpenAsync(server, format, new ImageStreamOptions());
            var full = new ScriptedSink((length, _) => length < 8 << 20 ? ValueTask.CompletedTask : ValueTask.FromException(new IOException("no")));
            var first = new MemorySink();
            var second = new MemorySink();

            await Assert.ThrowsAsync<ImageCopyException>(() => image.CopyToAsync(full, new RecordedProgress(), Token));
            await image.CopyToAsync(first, new RecordedProgress(), Token);
            await image.CopyToAsync(second, new RecordedProgress(), Token);

            Assert.Equal(image.LengthBytes, first.Bytes.Length);
            Assert.Equal(first.Bytes, second.Bytes);
        }
    }

    internal static async Task<OrderedImage> OpenAsync(NbdServer server, ImageFormat format, ImageStreamOptions options) =>
        (OrderedImage)await OpenAsync(new NbdEndpoint(server.SocketPath, ""), format, options, Token);

    // What is neither compressed nor without its zeros is a stream, and needs no qemu-img.
    internal static Task<DiskImage> OpenAsync(
        NbdEndpoint endpoint, ImageFormat format, ImageStreamOptions options, CancellationToken cancellationToken) =>
        new ImageOpener(null!).OpenAsync(endpoint, new ImageSpec(format), spool: file => file, options, cancellationToken);

    private static async Task<string> MakeAsync(ScratchDirectory scratch, string size, string[] writes)
    {
        string disk = scratch.File("disk.qcow2");
        await QemuTool.ImgAsync("create", "-f", "qcow2", disk, size);
        if (writes.Length > 0)
        {
            await QemuTool.IoAsync(disk, "qcow2", writes);
        }

        return disk;
    }

    private static async Task<string> CopyAsync(ScratchDirectory scratch, string disk, ImageFormat format, string diskFormat = "qcow2")
    {
        string image = scratch.File("image");
        await using NbdServer server = await NbdServer.QemuNbdAsync(disk, diskFormat);
        await using OrderedImage stream = await OpenAsync(server, format, new ImageStreamOptions());
        using var sink = new SparseFileSink(image);
        var progress = new RecordedProgress();

        await stream.CopyToAsync(sink, progress, Token);

        Assert.Equal(stream.LengthBytes, new FileInfo(image).Length);
        Assert.Equal(stream.WorkBytes, progress.Reports.LastOrDefault());
        return image;
    }

    private static async Task AssertIdenticalAsync(string disk, string image, ImageFormat format, string diskFormat = "qcow2")
    {
        string imageFormat = format == ImageFormat.Qcow2 ? "qcow2" : "raw";
        if (format == ImageFormat.Qcow2)
        {
            Assert.Contains("No errors were found", await QemuTool.ImgAsync("check", "-f", "qcow2", image), StringComparison.Ordinal);
        }

        Assert.Contains(
            "Images are identical",
            await QemuTool.ImgAsync("compare", "-f", diskFormat, "-F", imageFormat, disk, image),
            StringComparison.Ordinal);
        await using FileStream file = File.OpenRead(image);
        long size = format == ImageFormat.Raw ? new FileInfo(image).Length : (await ImageInspector.ReadQcow2Async(file, Token)).VirtualSizeBytes;
        file.Position = 0;
        await ImageInspector.VerifyAsync(file, format, size, Token);
    }
}
