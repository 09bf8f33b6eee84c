using SnapshotApi.Codecs;

namespace SnapshotApi.Images;

/// <summary>What some clusters of a disk, chosen at random among those that hold data, tell of all of them.</summary>
/// <param name="Clusters">How many were looked at.</param>
/// <param name="Zeros">How many of them hold only zeros.</param>
/// <param name="StoredBytes">What they take when zeros are left out and the rest is compressed as asked.</param>
/// <param name="StoredSquares">The sum of the squares of what each of them takes, in bytes squared.</param>
internal sealed record ClusterSample(int Clusters, int Zeros, long StoredBytes, double StoredSquares)
{
    /// <summary>Tells a share of a quarter from one of an eighth almost certainly; 16 MiB take some 20 ms.</summary>
    private const int MaxClusters = 256;

    /// <summary>More than a quarter is zero: leaving them out saves more than looking for them costs.</summary>
    public bool IsWorthwhile => Zeros * 4 > Clusters;

    /// <summary>What so many clusters of the disk take, in bytes, as the sample lets expect.</summary>
    public long StoredBytesOf(long clusters) => Clusters == 0 ? 0 : (long)((double)StoredBytes / Clusters * clusters);

    /// <summary>
    /// What they take at least, in bytes: three standard errors less. Of a thousand samples, one at most says too much.
    /// </summary>
    public long StoredBytesAtLeast(long clusters)
    {
        if (Clusters == 0)
        {
            return 0;
        }

        double mean = (double)StoredBytes / Clusters;
        double variance = Math.Max(0, (StoredSquares / Clusters) - (mean * mean));
        return (long)(Math.Max(0, mean - (3 * Math.Sqrt(variance / Clusters))) * clusters);
    }

    /// <summary>For the log.</summary>
    public string Describe(bool leftOut) =>
        $"{(Clusters == 0 ? 0 : 100 * Zeros / Clusters)} % of {Clusters} sampled clusters are zero; "
        + $"zeros are {(leftOut ? "left out" : "kept")}";

    /// <summary>Takes a sample.</summary>
    /// <exception cref="ImageCopyException">Reading failed.</exception>
    /// <exception cref="ImageStalledException">No byte came for the stall limit.</exception>
    public static async Task<ClusterSample> TakeAsync(
        DiskSource source, ImageSpec spec, ImageStreamOptions options, CancellationToken cancellationToken)
    {
        ClusterMap chosen = Choose(source.Map);
        int zeros = 0;
        long storedBytes = 0;
        double storedSquares = 0;
        using BlockCompressor? compressor = spec.Compression == Compression.None
            ? null
            : ClusterCompressors.Create(spec.Compression, spec.CompressionLevel);
        byte[] output = new byte[ClusterMap.ClusterBytes - 1];

        // A limit on the rate is not for these few MiB: a low one would make every job wait for minutes.
        ImageStreamOptions unlimited = options with { Bandwidth = null };
        await DiskReading.VisitAsync(source.WithMap(chosen), unlimited, Look, progress: null, cancellationToken)
            .ConfigureAwait(false);
        return new ClusterSample((int)chosen.DataClusters, zeros, storedBytes, storedSquares);

        void Look(ReadBatch batch)
        {
            for (int offset = 0; offset < batch.LengthBytes; offset += ClusterMap.ClusterBytes)
            {
                int end = Math.Min(offset + ClusterMap.ClusterBytes, batch.LengthBytes);
                ReadOnlySpan<byte> cluster = batch.Buffer.Memory.Span[offset..end];
                if (ZeroTest.IsZero(cluster))
                {
                    zeros++;
                }
                else
                {
                    long stored = compressor?.TryCompress(cluster, output, out int length) == true
                        ? length
                        : ClusterMap.ClusterBytes;
                    storedBytes += stored;
                    storedSquares += (double)stored * stored;
                }
            }
        }
    }

    private static ClusterMap Choose(ClusterMap map)
    {
        var chosen = new ClusterMap(map.SizeBytes);
        var ranks = new SortedSet<long>();
        if (map.DataClusters <= MaxClusters)
        {
            return map;
        }

        while (ranks.Count < MaxClusters)
        {
            ranks.Add(Random.Shared.NextInt64(map.DataClusters));
        }

        foreach (long cluster in map.DataAt(ranks))
        {
            long offset = cluster * ClusterMap.ClusterBytes;
            chosen.AddData(offset, Math.Min(ClusterMap.ClusterBytes, map.SizeBytes - offset));
        }

        return chosen;
    }
}
