using System.Buffers.Binary;

namespace SnapshotApi.Images;

/// <summary>
/// Gives out the clusters of a qcow2 file that grows, and counts their references: 1 for a whole cluster, for one that
/// holds compressed data the number of pieces that touch it. Reference counts are kept only until they can't change any
/// more, so a file of any size takes a few of them in memory.
/// </summary>
/// <param name="reservedCluster">First of some clusters that are counted, but given to nobody.</param>
/// <param name="reservedCount">How many.</param>
internal sealed class Qcow2Allocator(long reservedCluster = 0, long reservedCount = 0)
{
    /// <summary>
    /// A cluster with room for compressed data is given up when the file has grown so far beyond it (16 MiB): it would
    /// keep the digest, which goes in order, from following. Costs at most 64 KiB per 16 MiB.
    /// </summary>
    private const int LongestFillClusters = 256;

    private const int ClusterBytes = ClusterMap.ClusterBytes;

    private readonly List<byte[]> _blocks = [];
    private readonly Stack<byte[]> _spare = [];
    private long _firstBlock;
    private long _packedEndBytes;
    private bool _isReserved;

    /// <summary>Reference counts in one block, which is a cluster: 2 bytes each.</summary>
    public const int RefcountsPerBlock = ClusterBytes / 2;

    /// <summary>Clusters of the file so far.</summary>
    public long EndCluster { get; private set; }

    /// <summary>The oldest block of reference counts that is not taken yet.</summary>
    public long FirstBlock => _firstBlock;

    /// <summary>Everything of the file before this is given out for good.</summary>
    public long FinalBytes => _packedEndBytes % ClusterBytes != 0 ? _packedEndBytes : EndCluster * ClusterBytes;

    /// <summary>All clusters of the first block are given out, and none is still filled with compressed data.</summary>
    public bool IsFirstBlockFinal
    {
        get
        {
            long next = (_firstBlock + 1) * RefcountsPerBlock;
            bool isFilling = _packedEndBytes % ClusterBytes != 0 && _packedEndBytes / ClusterBytes < next;
            return EndCluster >= next && !isFilling;
        }
    }

    /// <summary>Gives out whole clusters at the end of the file.</summary>
    /// <returns>The first of them.</returns>
    public long AllocateClusters(long count)
    {
        SkipReserved(count);
        long first = EndCluster;
        for (long cluster = first; cluster < first + count; cluster++)
        {
            Count(cluster);
        }

        EndCluster = first + count;
        if (EndCluster - (_packedEndBytes / ClusterBytes) > LongestFillClusters)
        {
            _packedEndBytes = (_packedEndBytes + ClusterBytes - 1) / ClusterBytes * ClusterBytes;
        }

        return first;
    }

    /// <summary>
    /// Gives out room for a piece of compressed data, as QEMU does: behind the last piece, if there is room in its
    /// cluster or if the file ends with that; else at the end of the file.
    /// </summary>
    /// <param name="lengthBytes">At least 1, less than a cluster.</param>
    /// <returns>Its place in the file, in bytes.</returns>
    public long AllocatePacked(int lengthBytes)
    {
        int used = (int)(_packedEndBytes % ClusterBytes);
        int room = used == 0 ? 0 : ClusterBytes - used;
        bool isLast = _packedEndBytes + room == EndCluster * ClusterBytes && !IsAtReserved(1);
        bool fits = room > 0 && (lengthBytes <= room || isLast)
            && ReadCount(_packedEndBytes / ClusterBytes) < ushort.MaxValue;
        if (!fits)
        {
            SkipReserved(1);
        }

        long offset = fits ? _packedEndBytes : EndCluster * ClusterBytes;
        long last = (offset + lengthBytes - 1) / ClusterBytes;
        for (long cluster = offset / ClusterBytes; cluster <= last; cluster++)
        {
            Count(cluster);
        }

        EndCluster = Math.Max(EndCluster, last + 1);
        _packedEndBytes = offset + lengthBytes;
        return offset;
    }

    /// <summary>
    /// Takes the first block: a cluster of 16-bit big-endian counts. Give it back when it is written.
    /// </summary>
    public byte[] TakeFirstBlock()
    {
        byte[] block = _blocks[0];
        _blocks.RemoveAt(0);
        _firstBlock++;
        return block;
    }

    /// <summary>Takes back a block that was written.</summary>
    public void GiveBack(byte[] block) => _spare.Push(block);

    /// <summary>Gives out the reserved clusters, if the file has not come to them.</summary>
    public void TakeReserved()
    {
        if (!_isReserved && reservedCount > 0)
        {
            EndCluster = Math.Max(EndCluster, reservedCluster);
            SkipReserved(1);
        }
    }

    private bool IsAtReserved(long count) => !_isReserved && reservedCount > 0 && EndCluster + count > reservedCluster;

    private void SkipReserved(long count)
    {
        if (!IsAtReserved(count))
        {
            return;
        }

        _isReserved = true;
        for (long cluster = reservedCluster; cluster < reservedCluster + reservedCount; cluster++)
        {
            Count(cluster);
        }

        EndCluster = reservedCluster + reservedCount;
    }

    private void Count(long cluster)
    {
        Span<byte> count = CountOf(cluster);
        BinaryPrimitives.WriteUInt16BigEndian(
            count, checked((ushort)(BinaryPrimitives.ReadUInt16BigEndian(count) + 1)));
    }

    private ushort ReadCount(long cluster) => BinaryPrimitives.ReadUInt16BigEndian(CountOf(cluster));

    private Span<byte> CountOf(long cluster)
    {
        int index = (int)((cluster / RefcountsPerBlock) - _firstBlock);
        while (_blocks.Count <= index)
        {
            byte[] block = _spare.Count > 0 ? _spare.Pop() : new byte[ClusterBytes];
            block.AsSpan().Clear();
            _blocks.Add(block);
        }

        return _blocks[index].AsSpan((int)(cluster % RefcountsPerBlock) * sizeof(ushort));
    }
}
