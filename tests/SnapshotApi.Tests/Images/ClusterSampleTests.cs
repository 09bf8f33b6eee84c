using SnapshotApi.Images;

namespace SnapshotApi.Tests.Images;

public sealed class ClusterSampleTests
{
    private const int DiskClusters = 32768;
    private const int SampleClusters = 256;

    /// <summary>Where the least goes wrong, an image file is longer than its data.</summary>
    [Theory]
    [InlineData(0.01, 1)]
    [InlineData(0.1, 1)]
    [InlineData(0.1, 0.05)]
    [InlineData(0.33, 0.5)]
    [InlineData(0.67, 1)]
    public void The_least_that_a_sample_tells_is_hardly_ever_more_than_the_disk_takes(double dataShare, double incompressibleShare)
    {
        var random = new Random(7);
        long[] disk = [.. Enumerable.Range(0, DiskClusters).Select(_ =>
            random.NextDouble() >= dataShare ? 0 : random.NextDouble() < incompressibleShare ? ClusterMap.ClusterBytes : 700L)];
        long truth = disk.Sum();
        int wrong = 0;
        double expected = 0;
        for (int i = 0; i < 2000; i++)
        {
            ClusterSample sample = Sample([.. random.GetItems(disk, SampleClusters)]);
            wrong += sample.StoredBytesAtLeast(DiskClusters) > truth ? 1 : 0;
            expected += sample.StoredBytesOf(DiskClusters) / 2000.0;
        }

        Assert.InRange(wrong, 0, 2);
        Assert.InRange(expected, truth * 0.95, truth * 1.05);
    }

    [Fact]
    public void The_least_of_a_full_disk_is_close_to_what_it_takes()
    {
        var random = new Random(8);
        ClusterSample sample = Sample([.. Enumerable.Range(0, SampleClusters).Select(_ => random.Next(3) == 0 ? 0 : (long)ClusterMap.ClusterBytes)]);

        Assert.InRange(sample.StoredBytesAtLeast(DiskClusters), 0.8 * sample.StoredBytesOf(DiskClusters), sample.StoredBytesOf(DiskClusters));
    }

    [Fact]
    public void Where_all_clusters_are_alike_the_least_is_what_is_expected()
    {
        ClusterSample sample = Sample([.. Enumerable.Repeat((long)ClusterMap.ClusterBytes, SampleClusters)]);

        Assert.Equal((long)DiskClusters * ClusterMap.ClusterBytes, sample.StoredBytesAtLeast(DiskClusters));
    }

    [Fact]
    public void An_empty_disk_takes_nothing()
    {
        ClusterSample sample = Sample([]);

        Assert.Equal(0, sample.StoredBytesOf(0));
        Assert.Equal(0, sample.StoredBytesAtLeast(0));
    }

    private static ClusterSample Sample(long[] stored) =>
        new(stored.Length, stored.Count(bytes => bytes == 0), stored.Sum(), stored.Sum(bytes => (double)bytes * bytes));
}
