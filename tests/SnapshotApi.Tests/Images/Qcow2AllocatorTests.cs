using System.Buffers.Binary;
using SnapshotApi.Images;

namespace SnapshotApi.Tests.Images;

public sealed class Qcow2AllocatorTests
{
    private const int Cluster = ClusterMap.ClusterBytes;

    [Fact]
    public void Pieces_follow_each_other_and_may_span_clusters_at_the_end_of_the_file()
    {
        var allocator = new Qcow2Allocator();

        long[] offsets = [allocator.AllocatePacked(60_000), allocator.AllocatePacked(10_000), allocator.AllocatePacked(5)];

        Assert.Equal([0, 60_000, 70_000], offsets);
        Assert.Equal(2, allocator.EndCluster);
        Assert.Equal([2, 2], Counts(allocator, 2));
    }

    [Fact]
    public void Room_before_a_whole_cluster_is_used_only_by_what_fits()
    {
        var allocator = new Qcow2Allocator();
        allocator.AllocatePacked(60_000);
        allocator.AllocateClusters(1);

        long[] offsets = [allocator.AllocatePacked(5_000), allocator.AllocatePacked(5_000), allocator.AllocatePacked(100)];

        Assert.Equal([60_000, 2 * Cluster, (2 * Cluster) + 5_000], offsets);
        Assert.Equal([2, 1, 2], Counts(allocator, 3));
    }

    [Fact]
    public void A_cluster_is_never_touched_by_more_pieces_than_can_be_counted()
    {
        var allocator = new Qcow2Allocator();
        for (int i = 0; i < ushort.MaxValue; i++)
        {
            allocator.AllocatePacked(1);
        }

        Assert.Equal(Cluster, allocator.AllocatePacked(1));
        Assert.Equal([ushort.MaxValue, 1], Counts(allocator, 2));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Counts_are_those_of_what_was_given_out_and_nothing_overlaps(int seed)
    {
        var random = new Random(seed);
        var allocator = new Qcow2Allocator();
        var pieces = new List<(long Start, long End)>();
        var expected = new Dictionary<long, int>();
        for (int i = 0; i < 3000; i++)
        {
            bool isWhole = random.Next(4) == 0;
            long length = isWhole ? (long)random.Next(1, 4) * Cluster : random.Next(1, Cluster);
            long start = isWhole ? allocator.AllocateClusters(length / Cluster) * Cluster : allocator.AllocatePacked((int)length);
            pieces.Add((start, start + length));
            for (long cluster = start / Cluster; cluster <= (start + length - 1) / Cluster; cluster++)
            {
                expected[cluster] = expected.GetValueOrDefault(cluster) + 1;
            }
        }

        pieces.Sort();
        Assert.All(pieces.Zip(pieces.Skip(1)), pair => Assert.True(pair.First.End <= pair.Second.Start));
        Assert.Equal(Enumerable.Range(0, (int)allocator.EndCluster).Select(c => expected[c]), Counts(allocator, (int)allocator.EndCluster));
    }

    [Fact]
    public void A_block_of_counts_is_final_once_it_is_passed_and_not_filled_any_more()
    {
        var allocator = new Qcow2Allocator();
        allocator.AllocateClusters(Qcow2Allocator.RefcountsPerBlock - 1);
        Assert.False(allocator.IsFirstBlockFinal);
        allocator.AllocatePacked(100);
        allocator.AllocateClusters(1);
        Assert.False(allocator.IsFirstBlockFinal);

        allocator.AllocatePacked(Cluster - 50);

        Assert.True(allocator.IsFirstBlockFinal);
        byte[] block = allocator.TakeFirstBlock();
        Assert.Equal(1, BinaryPrimitives.ReadUInt16BigEndian(block.AsSpan(Cluster - 2)));
        Assert.Equal(1, allocator.FirstBlock);
    }

    private static int[] Counts(Qcow2Allocator allocator, int clusters)
    {
        var counts = new List<int>();
        for (int i = 0; i < clusters; i += Qcow2Allocator.RefcountsPerBlock)
        {
            byte[] block = allocator.TakeFirstBlock();
            counts.AddRange(Enumerable.Range(0, Math.Min(clusters - i, Qcow2Allocator.RefcountsPerBlock))
                .Select(c => (int)BinaryPrimitives.ReadUInt16BigEndian(block.AsSpan(c * 2))));
        }

        return [.. counts];
    }
}
