using System.Buffers.Binary;
using System.Numerics;

namespace SnapshotApi.Images;

/// <summary>
/// Where everything of a qcow2 file lies, known from the map alone, so that the file can be written strictly in order:
/// header, refcount table, refcount blocks, L1 table, L2 tables, then the data clusters in the order of the disk.
/// Version 3, no backing file, no feature bits; every cluster of the file is used exactly once, so each reference count
/// is 1.
/// Source: https://gitlab.com/qemu-project/qemu/-/blob/v7.2.0/docs/interop/qcow2.txt
/// </summary>
internal sealed class Qcow2Layout
{
    private const int ClusterBytes = ClusterMap.ClusterBytes;
    private const int SectorBytes = 512;

    /// <summary>In clusters: the header takes the first.</summary>
    private const long RefcountTableStart = 1;

    /// <summary>Table entries are 8 bytes, reference counts 2.</summary>
    private const int EntriesPerCluster = ClusterBytes / 8;
    private const int RefcountsPerBlock = ClusterBytes / 2;

    private readonly ClusterMap _map;
    private readonly int[] _groups;
    private readonly long[] _firstDataCluster;
    private readonly long _refcountTableClusters;
    private readonly long _refcountBlocks;
    private readonly long _l1Clusters;

    /// <param name="map">What is stored; must not change afterwards.</param>
    /// <exception cref="ArgumentOutOfRangeException">The disk is larger than 2 PiB.</exception>
    public Qcow2Layout(ClusterMap map)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(
            map.GroupCount, Qcow2Format.QCOW_MAX_L1_SIZE_BYTES / sizeof(ulong), nameof(map));
        _map = map;
        VirtualSizeBytes = (map.SizeBytes + SectorBytes - 1) / SectorBytes * SectorBytes;
        _groups = [.. Enumerable.Range(0, map.GroupCount).Where(group => !map.Group(group).IsEmpty)];
        _l1Clusters = Divide(map.GroupCount, EntriesPerCluster);

        // The blocks count themselves and the table: repeat until they cover all. Grows by one or two, so it ends at
        // once.
        long others = 1 + _l1Clusters + _groups.Length + map.DataClusters;
        long blocks;
        do
        {
            blocks = _refcountBlocks;
            _refcountBlocks = Divide(others + _refcountTableClusters + blocks, RefcountsPerBlock);
            _refcountTableClusters = Divide(_refcountBlocks, EntriesPerCluster);
        }
        while (blocks != _refcountBlocks);

        MetadataClusters = others - map.DataClusters + _refcountTableClusters + _refcountBlocks;
        _firstDataCluster = new long[_groups.Length];
        long next = MetadataClusters;
        for (int i = 0; i < _groups.Length; i++)
        {
            _firstDataCluster[i] = next;
            next += map.GroupDataClusters(_groups[i]);
        }
    }

    /// <summary>Size of the disk in whole sectors, as QEMU rounds it too.</summary>
    public long VirtualSizeBytes { get; }

    /// <summary>Exact length of the file, a multiple of the cluster.</summary>
    public long LengthBytes => (MetadataClusters + _map.DataClusters) * ClusterBytes;

    /// <summary>Clusters before the first data cluster.</summary>
    public long MetadataClusters { get; }

    private long RefcountBlocksStart => RefcountTableStart + _refcountTableClusters;

    private long L1Start => RefcountBlocksStart + _refcountBlocks;

    private long L2Start => L1Start + _l1Clusters;

    /// <summary>Writes one cluster of the metadata.</summary>
    /// <param name="cluster">0 to <see cref="MetadataClusters"/> - 1.</param>
    /// <param name="destination">Exactly one cluster; overwritten wholly.</param>
    public void WriteMetadata(long cluster, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(cluster);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(cluster, MetadataClusters);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, ClusterBytes);
        destination.Clear();
        if (cluster == 0)
        {
            WriteHeader(destination);
        }
        else if (cluster < RefcountBlocksStart)
        {
            WriteRefcountTable((cluster - RefcountTableStart) * EntriesPerCluster, destination);
        }
        else if (cluster < L1Start)
        {
            WriteRefcountBlock((cluster - RefcountBlocksStart) * RefcountsPerBlock, destination);
        }
        else if (cluster < L2Start)
        {
            WriteL1((cluster - L1Start) * EntriesPerCluster, destination);
        }
        else
        {
            WriteL2((int)(cluster - L2Start), destination);
        }
    }

    private static long Divide(long value, long by) => (value + by - 1) / by;

    /// <summary>The end of the header extensions is the zeros that follow the header.</summary>
    private void WriteHeader(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, Qcow2Format.QCOW_MAGIC);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], 3);
        BinaryPrimitives.WriteUInt32BigEndian(destination[20..], ClusterMap.ClusterBits);
        BinaryPrimitives.WriteInt64BigEndian(destination[24..], VirtualSizeBytes);
        BinaryPrimitives.WriteInt32BigEndian(destination[36..], _map.GroupCount);
        BinaryPrimitives.WriteInt64BigEndian(destination[40..], L1Start * ClusterBytes);
        BinaryPrimitives.WriteInt64BigEndian(destination[48..], RefcountTableStart * ClusterBytes);
        BinaryPrimitives.WriteInt32BigEndian(destination[56..], (int)_refcountTableClusters);
        BinaryPrimitives.WriteUInt32BigEndian(destination[96..], Qcow2Format.REFCOUNT_ORDER);
        BinaryPrimitives.WriteUInt32BigEndian(destination[100..], Qcow2Format.V3_HEADER_LENGTH);
    }

    private void WriteRefcountTable(long first, Span<byte> destination)
    {
        long count = Math.Min(EntriesPerCluster, _refcountBlocks - first);
        for (int i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteInt64BigEndian(
                destination[(i * 8)..], (RefcountBlocksStart + first + i) * ClusterBytes);
        }
    }

    private void WriteRefcountBlock(long first, Span<byte> destination)
    {
        long count = Math.Min(RefcountsPerBlock, MetadataClusters + _map.DataClusters - first);
        for (int i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(destination[(i * 2)..], 1);
        }
    }

    private void WriteL1(long first, Span<byte> destination)
    {
        int table = Array.BinarySearch(_groups, (int)first);
        long end = first + EntriesPerCluster;
        for (table = table < 0 ? ~table : table; table < _groups.Length && _groups[table] < end; table++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(
                destination[(int)((_groups[table] - first) * 8)..],
                (ulong)((L2Start + table) * ClusterBytes) | Qcow2Format.QCOW_OFLAG_COPIED);
        }
    }

    private void WriteL2(int table, Span<byte> destination)
    {
        ulong entry = (ulong)(_firstDataCluster[table] * ClusterBytes) | Qcow2Format.QCOW_OFLAG_COPIED;
        ReadOnlySpan<ulong> words = _map.Group(_groups[table]);
        for (int i = 0; i < words.Length; i++)
        {
            for (ulong word = words[i]; word != 0; word &= word - 1)
            {
                int index = (i * 64) + BitOperations.TrailingZeroCount(word);
                BinaryPrimitives.WriteUInt64BigEndian(destination[(index * 8)..], entry);
                entry += ClusterBytes;
            }
        }
    }
}
