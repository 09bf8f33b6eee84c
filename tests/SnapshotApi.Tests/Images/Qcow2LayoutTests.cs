using SnapshotApi.Images;

namespace SnapshotApi.Tests.Images;

public sealed class Qcow2LayoutTests
{
    private const long Cluster = 65536;
    private const long GiB = 1L << 30;

    [Theory]
    [InlineData(512)]
    [InlineData(Cluster - 512)]
    [InlineData(Cluster)]
    [InlineData(Cluster + 512)]
    [InlineData(512 * 1024 * 1024)]
    [InlineData((512 * 1024 * 1024) + 512)]
    public void All_data_and_no_data_of_a_disk_of_any_size_are_stored_rightly(long sizeBytes)
    {
        var empty = new ClusterMap(sizeBytes);
        var full = new ClusterMap(sizeBytes);
        full.AddData(0, sizeBytes);

        AssertStores(empty);
        AssertStores(full);
        Assert.Equal(0, empty.DataBytes);
        Assert.Equal(sizeBytes, full.DataBytes);
    }

    [Fact]
    public void Disk_without_bytes_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new ClusterMap(0));

    [Fact]
    public void Disk_beyond_what_qemu_opens_is_refused()
    {
        var map = new ClusterMap((2L << 50) + Cluster);

        Assert.Throws<ArgumentOutOfRangeException>(() => new Qcow2Layout(map));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(1000)]
    public void Size_is_rounded_up_to_a_sector(long sizeBytes) =>
        Assert.Equal((sizeBytes + 511) / 512 * 512, new Qcow2Layout(new ClusterMap(sizeBytes)).VirtualSizeBytes);

    [Fact]
    public void More_data_than_one_refcount_block_counts_is_stored_rightly()
    {
        var map = new ClusterMap(5 * GiB);
        map.AddData(GiB / 2, 4 * GiB);

        AssertStores(map);
    }

    // A block counts 32768 clusters, and counts itself, so the edge is where one cluster more needs one block more.
    [Theory]
    [InlineData(32768 - 1 - 1 - 1 - 1 - 4 - 1)]
    [InlineData(32768 - 1 - 1 - 1 - 1 - 4)]
    [InlineData(32768 - 1 - 1 - 1 - 1 - 4 + 1)]
    [InlineData(65536 - 1 - 1 - 2 - 1 - 8)]
    [InlineData(65536 - 1 - 1 - 2 - 1 - 8 + 1)]
    public void Edge_of_a_refcount_block_is_counted_rightly(long dataClusters)
    {
        var map = new ClusterMap(dataClusters * Cluster);
        map.AddData(0, map.SizeBytes);

        AssertStores(map);
    }

    [Fact]
    public void Sparse_terabyte_needs_little()
    {
        var map = new ClusterMap(1L << 40);
        map.AddData(123 * GiB, 1);
        map.AddData((1L << 40) - 1, 1);

        Qcow2Layout layout = AssertStores(map);

        Assert.Equal((1 + 1 + 1 + 1 + 2 + 2) * Cluster, layout.LengthBytes);
    }

    [Fact]
    public void Table_of_tables_may_span_clusters()
    {
        var map = new ClusterMap(16L << 40);
        map.AddData(0, 1);
        map.AddData((4L << 40) - Cluster, 2 * Cluster);
        map.AddData((16L << 40) - Cluster, Cluster);

        AssertStores(map);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Random_extents_are_stored_rightly(int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 8; round++)
        {
            var map = new ClusterMap(random.NextInt64(1, 3 * GiB));
            HashSet<long> expected = [];
            for (int i = random.Next(0, 200); i > 0; i--)
            {
                long offset = random.NextInt64(0, map.SizeBytes);
                long length = Math.Min(random.NextInt64(1, 1L << random.Next(1, 25)), map.SizeBytes - offset);
                map.AddData(offset, length);
                for (long cluster = offset / Cluster; cluster <= (offset + length - 1) / Cluster; cluster++)
                {
                    expected.Add(cluster);
                }
            }

            AssertStores(map);
            Assert.Equal(expected.Count, map.DataClusters);
            Assert.Equal(expected.Order(), DataClusters(map));
            Assert.Equal(expected.Sum(cluster => Math.Min(Cluster, map.SizeBytes - (cluster * Cluster))), map.DataBytes);
        }
    }

    private static IEnumerable<long> DataClusters(ClusterMap map)
    {
        for (long cluster = map.NextData(0); cluster < map.ClusterCount; cluster = map.NextData(cluster))
        {
            long end = map.NextHole(cluster, map.ClusterCount);
            for (; cluster < end; cluster++)
            {
                yield return cluster;
            }
        }
    }

    private static Qcow2Layout AssertStores(ClusterMap map)
    {
        var layout = new Qcow2Layout(map);

        var file = new TinyQcow2(layout.LengthBytes, cluster =>
        {
            byte[] bytes = new byte[Cluster];
            bytes.AsSpan().Fill(0xee);
            layout.WriteMetadata(cluster, bytes);
            return bytes;
        });

        Assert.Equal(layout.VirtualSizeBytes, file.VirtualSizeBytes);
        Assert.Equal(DataClusters(map), file.Allocated.Keys);
        long next = layout.MetadataClusters;
        Assert.All(file.Allocated.Values, cluster => Assert.Equal(next++, cluster));
        return layout;
    }
}
