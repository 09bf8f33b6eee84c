using System.Buffers.Binary;
using SnapshotApi.Images;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Images;

public sealed class ImageInspectorTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("compat=v3", 3, 16)]
    [InlineData("compat=v2", 2, 16)]
    [InlineData("compat=v3,cluster_size=512", 3, 9)]
    [InlineData("compat=v3,cluster_size=2M", 3, 21)]
    [InlineData("compat=v3,extended_l2=on", 3, 16)]
    public async Task Header_of_qemus_own_images_is_read(string options, int version, int clusterBits)
    {
        using var scratch = new ScratchDirectory();
        string disk = scratch.File("disk.qcow2");
        await QemuTool.ImgAsync("create", "-f", "qcow2", "-o", options, disk, "10M");

        Qcow2Header header = await ReadAsync(disk);

        Assert.Equal((version, clusterBits, 10 << 20), (header.Version, header.ClusterBits, header.VirtualSizeBytes));
        Assert.Null(header.BackingFile);
        Assert.False(header.HasDataFile);
        Assert.Equal(0ul, header.UnknownFeatures);
        ImageInspector.VerifyStandalone(header);
    }

    [Theory]
    [InlineData("compat=v3")]
    [InlineData("compat=v2")]
    public async Task Backing_file_is_found_and_refused(string options)
    {
        using var scratch = new ScratchDirectory();
        await QemuTool.ImgAsync("create", "-f", "raw", scratch.File("base.raw"), "1M");
        await QemuTool.ImgAsync(
            "create", "-f", "qcow2", "-o", options, "-b", scratch.File("base.raw"), "-F", "raw", scratch.File("disk.qcow2"));

        Qcow2Header header = await ReadAsync(scratch.File("disk.qcow2"));

        Assert.Equal((scratch.File("base.raw"), "raw"), (header.BackingFile, header.BackingFormat));
        ImageRejectedException error = Assert.Throws<ImageRejectedException>(() => ImageInspector.VerifyStandalone(header));
        Assert.Equal("the image has a backing file", error.Message);
    }

    [Fact]
    public async Task Data_file_is_found_and_refused()
    {
        using var scratch = new ScratchDirectory();
        await QemuTool.ImgAsync(
            "create", "-f", "qcow2", "-o", $"data_file={scratch.File("data")},data_file_raw=on", scratch.File("disk.qcow2"), "1M");

        Qcow2Header header = await ReadAsync(scratch.File("disk.qcow2"));

        Assert.Equal(scratch.File("data"), header.DataFile);
        ImageRejectedException error = Assert.Throws<ImageRejectedException>(() => ImageInspector.VerifyStandalone(header));
        Assert.Equal("the image has an external data file", error.Message);
    }

    [Fact]
    public async Task Internal_snapshots_are_counted()
    {
        using var scratch = new ScratchDirectory();
        string disk = scratch.File("disk.qcow2");
        await QemuTool.ImgAsync("create", "-f", "qcow2", disk, "1M");
        await QemuTool.ImgAsync("snapshot", "-c", "one", disk);

        Assert.Equal(1, (await ReadAsync(disk)).SnapshotCount);
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(5, false)]
    [InlineData(63, false)]
    public void Data_file_bit_and_unknown_feature_bits_are_refused(int bit, bool isDataFile)
    {
        byte[] start = Written(1 << 20);
        BinaryPrimitives.WriteUInt64BigEndian(start.AsSpan(72), 1ul << bit);

        Qcow2Header header = Qcow2HeaderReader.Read(start);

        Assert.Equal(isDataFile, header.HasDataFile);
        Assert.Equal(isDataFile ? 0 : 1ul << bit, header.UnknownFeatures);
        Assert.Throws<ImageRejectedException>(() => ImageInspector.VerifyStandalone(header));
    }

    [Fact]
    public async Task What_we_write_is_accepted()
    {
        using var file = new MemoryStream(Written(1 << 20));

        await ImageInspector.VerifyAsync(file, ImageFormat.Qcow2, 1 << 20, Token);
    }

    [Theory]
    [InlineData(ImageFormat.Qcow2)]
    [InlineData(ImageFormat.Raw)]
    internal async Task Wrong_size_is_refused(ImageFormat format)
    {
        using var file = new MemoryStream(Written(1 << 20));

        await Assert.ThrowsAsync<ImageRejectedException>(() => ImageInspector.VerifyAsync(file, format, 2 << 20, Token));
    }

    [Theory]
    [InlineData(4, 4u)]
    [InlineData(4, 1u)]
    [InlineData(20, 8u)]
    [InlineData(20, 22u)]
    [InlineData(20, uint.MaxValue)]
    [InlineData(24, uint.MaxValue)]
    [InlineData(100, 0u)]
    [InlineData(100, 105u)]
    [InlineData(100, 65544u)]
    [InlineData(100, uint.MaxValue)]
    [InlineData(8, uint.MaxValue)]
    [InlineData(12, 16u)]
    [InlineData(12, 65537u)]
    public void Header_with_a_wrong_field_is_refused(int offset, uint value)
    {
        byte[] start = Written(1 << 20);
        BinaryPrimitives.WriteUInt32BigEndian(start.AsSpan(offset), value);

        Assert.Throws<ImageRejectedException>(() => Qcow2HeaderReader.Read(start));
    }

    [Fact]
    public void Name_with_nul_is_refused()
    {
        byte[] start = Written(1 << 20);
        BinaryPrimitives.WriteUInt32BigEndian(start.AsSpan(12), 1024);
        BinaryPrimitives.WriteUInt32BigEndian(start.AsSpan(16), 3);
        "a\0b"u8.CopyTo(start.AsSpan(1024));

        Assert.Throws<ImageRejectedException>(() => Qcow2HeaderReader.Read(start));
    }

    [Fact]
    public void Whatever_the_bytes_nothing_else_is_thrown()
    {
        var random = new Random(1);
        byte[] written = Written(1 << 20);
        for (int round = 0; round < 50_000; round++)
        {
            byte[] start = written[..random.Next(0, 2048)];
            for (int i = random.Next(1, 12); i > 0 && start.Length > 8; i--)
            {
                start[random.Next(4, Math.Min(start.Length, 160))] = random.Next(3) switch
                {
                    0 => 0xff,
                    1 => (byte)random.Next(256),
                    _ => (byte)(1 << random.Next(8)),
                };
            }

            try
            {
                Qcow2HeaderReader.Read(start);
            }
            catch (ImageRejectedException)
            {
                continue;
            }
        }
    }

    private static byte[] Written(long sizeBytes)
    {
        byte[] start = new byte[ClusterMap.ClusterBytes];
        new Qcow2Layout(new ClusterMap(sizeBytes)).WriteMetadata(0, start);
        return start;
    }

    private static async Task<Qcow2Header> ReadAsync(string path)
    {
        await using FileStream file = File.OpenRead(path);
        return await ImageInspector.ReadQcow2Async(file, Token);
    }
}
