using System.Security.Cryptography;
using SnapshotApi.Images;
using SnapshotApi.Linux;
using SnapshotApi.Tests.Nbd;
using SnapshotApi.Tools;
using StoreFile = SnapshotApi.Images.FileSink;

namespace SnapshotApi.Tests.Images;

public sealed class PackedQcow2ImageTests
{
    private static readonly ImageSpec Sparse = new(ImageFormat.Qcow2, Sparsify: Sparsify.Always);
    private static readonly ImageSpec Zstd = new(ImageFormat.Qcow2, Compression.Zstd);
    private static readonly ImageSpec Zlib = new(ImageFormat.Qcow2, Compression.Zlib, 1);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string[]> Shapes => ImageStreamTests.Shapes;

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Sparse_and_compressed_images_are_clean_and_identical_to_the_disk(string size, string[] writes)
    {
        using var scratch = new ScratchDirectory();
        await MakeAsync(scratch, size, writes);
        await using NbdServer server = await NbdServer.QemuNbdAsync(scratch.File("disk.qcow2"), "qcow2");

        foreach (ImageSpec spec in new[] { Sparse, Zstd, Zlib })
        {
            await WriteAsync(scratch, server, spec, new ImageStreamOptions());
            await AssertIdenticalAsync(scratch, "disk.qcow2", "qcow2");
        }
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(4, 4)]
    [InlineData(8, 32)]
    public async Task Data_that_shrinks_data_that_does_not_and_zeros_come_out_as_they_were(int connections, int buffersMebibytes)
    {
        using var scratch = new ScratchDirectory();
        await MakeMixedDiskAsync(scratch.File("disk.raw"), (16 << 20) + 1536);
        await using NbdServer server = await NbdServer.NbdkitAsync("--threads=8", "--filter=noextents", "file", scratch.File("disk.raw"));
        var options = new ImageStreamOptions { Connections = connections, MaxBuffersBytes = buffersMebibytes << 20 };

        foreach (ImageSpec spec in new[] { Sparse, Zstd, Zstd with { CompressionLevel = 12 }, Zlib with { CompressionLevel = null } })
        {
            await WriteAsync(scratch, server, spec, options);
            await AssertIdenticalAsync(scratch, "disk.raw", "raw");
        }
    }

    [Fact]
    public async Task A_disk_of_allocated_zeros_becomes_tables_only()
    {
        using var scratch = new ScratchDirectory();
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=noextents", "memory", "64M");

        foreach (ImageSpec spec in new[] { Sparse, Zstd })
        {
            await WriteAsync(scratch, server, spec, new ImageStreamOptions());

            Assert.Equal(4 * 65536, new FileInfo(scratch.File("image")).Length);
            Assert.Contains("No errors were found", await QemuTool.ImgAsync("check", "-f", "qcow2", scratch.File("image")), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("zlib")]
    public async Task It_is_hardly_longer_than_what_qemu_img_makes(string compression)
    {
        using var scratch = new ScratchDirectory();
        await MakeMixedDiskAsync(scratch.File("disk.raw"), 40 << 20);
        await using NbdServer server = await NbdServer.QemuNbdAsync(scratch.File("disk.raw"), "raw");
        await QemuTool.ImgAsync(
            "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", $"compression_type={compression}", scratch.File("disk.raw"), scratch.File("theirs"));

        await WriteAsync(scratch, server, compression == "zstd" ? Zstd : Zlib with { CompressionLevel = null }, new ImageStreamOptions());

        Assert.InRange(new FileInfo(scratch.File("image")).Length, 1, new FileInfo(scratch.File("theirs")).Length * 1.02);
    }

    [Fact]
    public async Task A_sample_decides_whether_zeros_are_looked_for_and_the_store_how()
    {
        using var scratch = new ScratchDirectory();
        await MakeMixedDiskAsync(scratch.File("half.raw"), 24 << 20, zeroOf: 2);
        await MakeMixedDiskAsync(scratch.File("tenth.raw"), 24 << 20, zeroOf: 10);
        await using NbdServer half = await NbdServer.NbdkitAsync("--filter=noextents", "file", scratch.File("half.raw"));
        await using NbdServer tenth = await NbdServer.NbdkitAsync("--filter=noextents", "file", scratch.File("tenth.raw"));
        ImageSpec auto = Sparse with { Sparsify = Sparsify.Auto };

        await using DiskImage halfIntoFile = await OpenAsync(half, auto, spool: null);
        await using DiskImage halfInOrder = await OpenAsync(half, auto, spool: file => file);
        await using DiskImage tenthIntoFile = await OpenAsync(tenth, auto, spool: null);
        await using DiskImage never = await OpenAsync(half, auto with { Sparsify = Sparsify.Never }, spool: null);
        await using DiskImage always = await OpenAsync(tenth, Sparse, spool: file => file);

        Assert.Equal((true, false), (halfIntoFile.NeedsFile, halfIntoFile.NeedsPreparing));
        Assert.Equal((false, true), (halfInOrder.NeedsFile, halfInOrder.NeedsPreparing));
        Assert.Equal((false, false), (tenthIntoFile.NeedsFile, tenthIntoFile.NeedsPreparing));
        Assert.Equal((false, false), (never.NeedsFile, never.NeedsPreparing));
        Assert.Equal((false, true), (always.NeedsFile, always.NeedsPreparing));
        Assert.Matches("^(4[0-9]|5[0-9]|60) % of 256 sampled clusters are zero; zeros are left out$", halfIntoFile.SparseNote);
        Assert.Matches("^[0-9]+ % of 256 sampled clusters are zero; zeros are kept$", tenthIntoFile.SparseNote);
        Assert.Null(never.SparseNote);
    }

    [Fact]
    public async Task A_scanned_disk_is_streamed_in_order_without_its_zeros()
    {
        using var scratch = new ScratchDirectory();
        await MakeMixedDiskAsync(scratch.File("disk.raw"), (20 << 20) + 1536);
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=noextents", "file", scratch.File("disk.raw"));
        await using DiskImage image = await OpenAsync(server, Sparse, spool: file => file);
        var scanned = new RecordedProgress();

        long allocatedBytes = image.DataBytes;
        await image.PrepareAsync(scanned, Token);
        using (var sink = new StoreFile(LinuxFile.CreateNew(scratch.File("image")), scratch.File("image"), image.LengthBytes))
        {
            await Assert.IsType<Qcow2Image>(image).CopyToAsync(sink, new RecordedProgress(), Token);
            await sink.CompleteAsync(Token);
        }

        Assert.Equal(allocatedBytes, scanned.Reports[^1]);
        Assert.True(image.DataBytes < allocatedBytes);
        Assert.Equal(image.LengthBytes, new FileInfo(scratch.File("image")).Length);
        await AssertIdenticalAsync(scratch, "disk.raw", "raw");
    }

    [Fact]
    public async Task Zeros_become_holes_of_a_raw_image()
    {
        using var scratch = new ScratchDirectory();
        await MakeMixedDiskAsync(scratch.File("disk.raw"), (20 << 20) + 1536);
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=noextents", "file", scratch.File("disk.raw"));
        await using DiskImage image = await OpenAsync(server, new ImageSpec(ImageFormat.Raw, Sparsify: Sparsify.Auto), spool: null);
        var sink = new MemorySink();

        await Assert.IsAssignableFrom<OrderedImage>(image).CopyToAsync(sink, new RecordedProgress(), Token);

        Assert.Equal(await File.ReadAllBytesAsync(scratch.File("disk.raw"), Token), sink.Bytes);
        Assert.InRange(sink.ZerosBytes, 5 << 20, 10 << 20);
    }

    [Fact]
    public async Task A_write_that_fails_is_the_destinations_and_a_lost_server_the_sources()
    {
        using var scratch = new ScratchDirectory();
        await MakeMixedDiskAsync(scratch.File("disk.raw"), 40 << 20);
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=noextents", "file", scratch.File("disk.raw"));
        await using DiskImage refused = await OpenAsync(server, Zstd, spool: null);
        await using DiskImage lost = await OpenAsync(server, Zstd, spool: null);

        var destination = await Assert.ThrowsAsync<ImageCopyException>(
            () => ((FileImage)refused).WriteAsync(new FailingFile(() => throw new IOException("no")), new RecordedProgress(), Token));
        var source = await Assert.ThrowsAsync<ImageCopyException>(
            () => ((FileImage)lost).WriteAsync(new FailingFile(server.Kill), new RecordedProgress(), Token));

        Assert.Equal(CopySide.Destination, destination.Side);
        Assert.IsType<IOException>(destination.InnerException);
        Assert.Equal(CopySide.Source, source.Side);
    }

    [Fact]
    public async Task Cancelling_ends_it()
    {
        using var scratch = new ScratchDirectory();
        await MakeMixedDiskAsync(scratch.File("disk.raw"), 40 << 20);
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=noextents", "file", scratch.File("disk.raw"));
        await using DiskImage image = await OpenAsync(server, Zstd, spool: null);
        using var cancel = new CancellationTokenSource();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => ((FileImage)image).WriteAsync(new FailingFile(cancel.Cancel), new RecordedProgress(), cancel.Token));
    }

    private static Task<DiskImage> OpenAsync(
        NbdServer server, ImageSpec spec, Func<FileImage, DiskImage>? spool, ImageStreamOptions? options = null) =>
        new ImageOpener(null!).OpenAsync(new NbdEndpoint(server.SocketPath, ""), spec, spool, options ?? new ImageStreamOptions(), Token);

    private static async Task WriteAsync(ScratchDirectory scratch, NbdServer server, ImageSpec spec, ImageStreamOptions options)
    {
        string path = scratch.File("image");
        File.Delete(path);
        await using DiskImage image = await OpenAsync(server, spec, spool: null, options);
        using var stored = new StoreFile(LinuxFile.CreateNew(path), path, 0);
        await using var file = new FollowingDigest(stored, "sha256");
        var progress = new RecordedProgress();

        await Assert.IsAssignableFrom<FileImage>(image).WriteAsync(file, progress, Token);

        Digest digest = await file.FinishAsync(Token);
        await using FileStream written = File.OpenRead(path);
        Assert.Equal(stored.LengthBytes, written.Length);
        Assert.Equal(Convert.ToHexStringLower(await SHA256.HashDataAsync(written, Token)), digest.Value);
        Assert.Equal(image.DataBytes, progress.Reports.LastOrDefault());
        Assert.Equal(progress.Reports.Order(), progress.Reports);
    }

    private static async Task AssertIdenticalAsync(ScratchDirectory scratch, string disk, string diskFormat)
    {
        string image = scratch.File("image");
        Assert.Contains("No errors were found", await QemuTool.ImgAsync("check", "-f", "qcow2", image), StringComparison.Ordinal);
        Assert.Contains(
            "Images are identical",
            await QemuTool.ImgAsync("compare", "-f", diskFormat, "-F", "qcow2", scratch.File(disk), image),
            StringComparison.Ordinal);
        await using FileStream file = File.OpenRead(image);
        long size = (await ImageInspector.ReadQcow2Async(file, Token)).VirtualSizeBytes;
        file.Position = 0;
        await ImageInspector.VerifyAsync(file, ImageFormat.Qcow2, size, Token);
    }

    private static async Task MakeAsync(ScratchDirectory scratch, string size, string[] writes)
    {
        await QemuTool.ImgAsync("create", "-f", "qcow2", scratch.File("disk.qcow2"), size);
        if (writes.Length > 0)
        {
            await QemuTool.IoAsync(scratch.File("disk.qcow2"), "qcow2", writes);
        }
    }

    // In turn, and in runs of one to eight clusters: random bytes, words, half of both, and zeros.
    private static async Task MakeMixedDiskAsync(string path, int sizeBytes, int zeroOf = 3)
    {
        var random = new Random(7);
        byte[] disk = new byte[sizeBytes];
        byte[] words = System.Text.Encoding.ASCII.GetBytes("the quick brown fox jumps over the lazy dog ");
        for (int offset = 0; offset < sizeBytes;)
        {
            int length = Math.Min(random.Next(1, 9) * ClusterMap.ClusterBytes, sizeBytes - offset);
            Span<byte> run = disk.AsSpan(offset, length);
            int kind = random.Next(zeroOf) == 0 ? 3 : random.Next(3);
            if (kind is 0 or 2)
            {
                random.NextBytes(kind == 0 ? run : run[..(length / 2)]);
            }

            for (int i = kind == 1 ? 0 : length / 2; kind is 1 or 2 && i < length; i++)
            {
                run[i] = (byte)(words[(i + offset) % words.Length] ^ (random.Next(50) == 0 ? 1 : 0));
            }

            offset += length;
        }

        await File.WriteAllBytesAsync(path, disk, Token);
    }

    private sealed class FailingFile(Action onWrite) : IImageFile
    {
        public string Path => "";

        public ValueTask WriteAtAsync(long offsetBytes, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            onWrite();
            return ValueTask.CompletedTask;
        }

        public void MarkFinal(long bytes)
        {
            // Never reached.
        }

        public void SetLength(long lengthBytes)
        {
            // Never reached.
        }
    }
}
