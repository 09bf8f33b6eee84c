using System.Numerics;

namespace SnapshotApi.Images;

/// <summary>
/// Which clusters of a disk hold data: one bit per 64 KiB cluster, in groups of 512 MiB that exist only where some but
/// not all clusters are set. That bounds it at 32 MiB for the worst 16 TiB disk, and at a few KiB for an empty or a
/// full one.
/// </summary>
internal sealed class ClusterMap
{
    /// <summary>qcow2's default, and the granularity of the overlays that are read.</summary>
    public const int ClusterBits = 16;
    public const int ClusterBytes = 1 << ClusterBits;

    /// <summary>Clusters that one qcow2 L2 table describes: a cluster full of 8-byte entries.</summary>
    public const int GroupClusters = ClusterBytes / 8;

    private const int WordBits = 64;
    private static readonly ulong[] Full = [.. Enumerable.Repeat(ulong.MaxValue, GroupClusters / WordBits)];
    private readonly ulong[]?[] _groups;

    /// <param name="sizeBytes">Size of the disk, at least 1; need not be a multiple of the cluster.</param>
    public ClusterMap(long sizeBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sizeBytes);
        SizeBytes = sizeBytes;
        ClusterCount = (sizeBytes >> ClusterBits) + ((sizeBytes & (ClusterBytes - 1)) == 0 ? 0 : 1);
        _groups = new ulong[]?[checked((int)((ClusterCount + GroupClusters - 1) / GroupClusters))];
    }

    public long SizeBytes { get; }

    public long ClusterCount { get; }

    public int GroupCount => _groups.Length;

    /// <summary>Clusters that hold data.</summary>
    public long DataClusters { get; private set; }

    /// <summary>Disk bytes of those clusters; the last cluster of the disk may be a partial one.</summary>
    public long DataBytes => (DataClusters * ClusterBytes)
        - (IsData(ClusterCount - 1) ? (ClusterCount * ClusterBytes) - SizeBytes : 0);

    /// <summary>Marks every cluster that the range touches.</summary>
    public void AddData(long offsetBytes, long lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offsetBytes);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(lengthBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lengthBytes, SizeBytes - offsetBytes);
        long cluster = offsetBytes >> ClusterBits;
        long end = ((offsetBytes + lengthBytes - 1) >> ClusterBits) + 1;
        while (cluster < end)
        {
            int group = (int)(cluster / GroupClusters);
            int first = (int)(cluster % GroupClusters);
            int count = (int)Math.Min(end - cluster, GroupClusters - first);
            AddToGroup(ref _groups[group], first, count);
            cluster += count;
        }
    }

    public bool IsData(long cluster)
    {
        ulong[]? words = _groups[cluster / GroupClusters];
        int bit = (int)(cluster % GroupClusters);
        return words is not null && (words[bit / WordBits] >> (bit % WordBits) & 1) != 0;
    }

    /// <summary>The words of one group, bit 0 of word 0 first; empty if no cluster of the group holds data.</summary>
    public ReadOnlySpan<ulong> Group(int group) => _groups[group];

    /// <summary>Clusters of one group that hold data.</summary>
    public int GroupDataClusters(int group)
    {
        int count = 0;
        foreach (ulong word in Group(group))
        {
            count += BitOperations.PopCount(word);
        }

        return count;
    }

    /// <summary>The clusters that hold data by their ranks among them.</summary>
    /// <param name="ranks">Ascending; 0 is the first cluster that holds data.</param>
    public IEnumerable<long> DataAt(IEnumerable<long> ranks)
    {
        int group = 0;
        long before = 0;
        int inGroup = GroupDataClusters(0);
        foreach (long rank in ranks)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, DataClusters);
            while (rank - before >= inGroup)
            {
                before += inGroup;
                inGroup = GroupDataClusters(++group);
            }

            yield return ((long)group * GroupClusters) + BitAt(_groups[group]!, (int)(rank - before));
        }
    }

    /// <summary>
    /// The first cluster at or after <paramref name="cluster"/> that holds data, or <see cref="ClusterCount"/>.
    /// </summary>
    public long NextData(long cluster) => Next(cluster, ClusterCount, invert: 0);

    /// <summary>
    /// The first cluster at or after <paramref name="cluster"/> that holds none, at most <paramref name="limit"/>.
    /// </summary>
    public long NextHole(long cluster, long limit) =>
        Next(cluster, Math.Min(limit, ClusterCount), invert: ulong.MaxValue);

    private void AddToGroup(ref ulong[]? words, int first, int count)
    {
        if (ReferenceEquals(words, Full))
        {
            return;
        }

        if (count == GroupClusters)
        {
            DataClusters += count - (words is null ? 0 : Count(words));
            words = Full;
            return;
        }

        words ??= new ulong[GroupClusters / WordBits];
        while (count > 0)
        {
            int bit = first % WordBits;
            int bits = Math.Min(count, WordBits - bit);
            ulong mask = (bits == WordBits ? ulong.MaxValue : (1UL << bits) - 1) << bit;
            ref ulong word = ref words[first / WordBits];
            DataClusters += BitOperations.PopCount(mask & ~word);
            word |= mask;
            first += bits;
            count -= bits;
        }
    }

    private static int BitAt(ulong[] words, int rank)
    {
        int index = 0;
        for (int count; rank >= (count = BitOperations.PopCount(words[index])); index++)
        {
            rank -= count;
        }

        ulong word = words[index];
        for (; rank > 0; rank--)
        {
            word &= word - 1;
        }

        return (index * WordBits) + BitOperations.TrailingZeroCount(word);
    }

    private static int Count(ulong[] words) => words.Sum(BitOperations.PopCount);

    private long Next(long cluster, long limit, ulong invert)
    {
        while (cluster < limit)
        {
            int bit = (int)(cluster % GroupClusters);
            ulong[]? words = _groups[cluster / GroupClusters];
            if (words is null && invert == 0)
            {
                cluster += GroupClusters - bit;
                continue;
            }

            ulong rest = ((words?[bit / WordBits] ?? 0) ^ invert) >> (bit % WordBits);
            if (rest != 0)
            {
                return Math.Min(cluster + BitOperations.TrailingZeroCount(rest), limit);
            }

            cluster += WordBits - (bit % WordBits);
        }

        return limit;
    }
}
