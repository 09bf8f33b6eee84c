using SnapshotApi.Images;
using SnapshotApi.Linux;
using SnapshotApi.Tests.Nbd;
using StoreFile = SnapshotApi.Images.FileSink;

namespace SnapshotApi.Tests.Images;

/// <summary>The tables, judged by qemu-img; the data is judged by <see cref="PackedQcow2ImageTests"/>.</summary>
public sealed class Qcow2PackerTests
{
    private const int Cluster = ClusterMap.ClusterBytes;
    private const long GroupClusters = ClusterMap.GroupClusters;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, 0, false)]
    [InlineData(512, 1, false)]
    [InlineData(Cluster, 1, true)]
    [InlineData((GroupClusters * Cluster) - 512, 100, true)]
    [InlineData((GroupClusters * Cluster) + 512, GroupClusters + 1, false)]
    [InlineData(3 * GroupClusters * Cluster, 2 * GroupClusters, true)]
    public async Task Any_disk_has_clean_tables(long diskBytes, long clusters, bool isZstd)
    {
        using var scratch = new ScratchDirectory();

        await WriteAsync(scratch, diskBytes, isZstd, seed: 1, Enumerable.Range(0, (int)clusters).Select(c => (long)c));

        await AssertCleanAsync(scratch, (diskBytes + 511) / 512 * 512);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Scattered_clusters_of_any_length_have_clean_tables(int seed)
    {
        const long diskClusters = 6 * GroupClusters;
        using var scratch = new ScratchDirectory();
        var random = new Random(seed);
        var clusters = new SortedSet<long>(Enumerable.Range(0, 5000).Select(_ => random.NextInt64(diskClusters)));

        await WriteAsync(scratch, diskClusters * Cluster, isZstd: seed % 2 == 0, seed, clusters, tablesAtBytes: seed * 30L << 20);

        await AssertCleanAsync(scratch, diskClusters * Cluster);
    }

    // A block of reference counts covers 2 GiB of the file: with as many clusters stored as they are, several are written on the way.
    [Fact]
    public async Task More_data_than_some_refcount_blocks_count_has_clean_tables()
    {
        const long diskClusters = 10 * GroupClusters;
        using var scratch = new ScratchDirectory();
        using var file = new StoreFile(LinuxFile.CreateNew(scratch.File("image")), scratch.File("image"), 0);
        var packer = new Qcow2Packer(file, diskClusters * Cluster, isZstd: true, tablesAtBytes: 3L << 30);
        await packer.BeginAsync(Token);
        for (long cluster = 0; cluster < diskClusters; cluster++)
        {
            if (packer.MustTurn(cluster))
            {
                await packer.TurnAsync(cluster, Token);
            }

            // Only the place is taken: a hole of the file is a cluster of zeros.
            if (cluster % 1000 == 0)
            {
                await packer.AddPackedAsync(cluster, new byte[777], Token);
            }
            else
            {
                packer.PlaceStored(cluster);
            }
        }

        long length = await packer.FinishAsync(Token);

        Assert.InRange(length, (diskClusters - (diskClusters / 1000)) * Cluster, (diskClusters + 100) * Cluster);
        await AssertCleanAsync(scratch, diskClusters * Cluster);
    }

    private static async Task WriteAsync(
        ScratchDirectory scratch, long diskBytes, bool isZstd, int seed, IEnumerable<long> clusters, long tablesAtBytes = 0)
    {
        var random = new Random(seed);
        byte[] bytes = new byte[Cluster];
        using var file = new StoreFile(LinuxFile.CreateNew(scratch.File("image")), scratch.File("image"), 0);
        var packer = new Qcow2Packer(file, diskBytes, isZstd, tablesAtBytes);
        await packer.BeginAsync(Token);
        foreach (long cluster in clusters)
        {
            if (packer.MustTurn(cluster))
            {
                await packer.TurnAsync(cluster, Token);
            }

            switch (random.Next(3))
            {
                case 0:
                    await file.WriteAtAsync(packer.PlaceStored(cluster), bytes.AsMemory(0, 512), Token);
                    break;
                case 1:
                    await packer.AddPackedAsync(cluster, bytes.AsMemory(0, random.Next(1, 200)), Token);
                    break;
                default:
                    await packer.AddPackedAsync(cluster, bytes.AsMemory(0, random.Next(1, Cluster)), Token);
                    break;
            }
        }

        Assert.Equal(await packer.FinishAsync(Token), new FileInfo(scratch.File("image")).Length);
    }

    private static async Task AssertCleanAsync(ScratchDirectory scratch, long virtualBytes)
    {
        Assert.Contains("No errors were found", await QemuTool.ImgAsync("check", "-f", "qcow2", scratch.File("image")), StringComparison.Ordinal);
        await using FileStream file = File.OpenRead(scratch.File("image"));
        await ImageInspector.VerifyAsync(file, ImageFormat.Qcow2, virtualBytes, Token);
    }
}
