using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace SnapshotApi.Images;

/// <summary>
/// Writes a qcow2 file whose clusters come in the order of the disk, some of them compressed, some not at all: an L2
/// table after the data that it describes, a block of reference counts once it can't change. L1 and refcount table come
/// last, but where they lie is settled at the beginning, a little before the expected end of the file: so the header
/// can come first, and a digest follow the writing up to them. Version 3, no backing file; memory does not grow with
/// the data. Not thread-safe; allocates nothing per cluster.
/// Source: https://gitlab.com/qemu-project/qemu/-/blob/v7.2.0/docs/interop/qcow2.txt
/// </summary>
internal sealed class Qcow2Packer
{
    private const int ClusterBytes = ClusterMap.ClusterBytes;
    private const int EntriesPerCluster = ClusterBytes / sizeof(ulong);
    private const int SectorBytes = 512;

    /// <summary>Bits of the offset in a compressed entry: 62 - (cluster_bits - 8).</summary>
    private const int CompressedOffsetBits = 62 - (ClusterMap.ClusterBits - 8);

    /// <summary>Compressed data are small pieces; they are written this many bytes at a time.</summary>
    private const int PackBytes = 1024 * 1024;

    private readonly IImageFile _file;
    private readonly bool _isZstd;
    private readonly long _virtualSizeBytes;
    private readonly Qcow2Allocator _allocator;
    private readonly long _l1Start;
    private readonly long _refcountTableStart;
    private readonly int _refcountTableClusters;
    private readonly ulong[] _l1;
    private readonly List<long> _refcountBlocks = [];
    private readonly byte[] _table = new byte[ClusterBytes];
    private readonly byte[] _pack = new byte[PackBytes];
    private int _group = -1;
    private long _packOffset;
    private int _packLength;

    /// <param name="file">Empty; stays the caller's.</param>
    /// <param name="diskBytes">Size of the disk; need not be a multiple of anything.</param>
    /// <param name="isZstd">Compressed clusters are zstd frames, not raw deflate.</param>
    /// <param name="tablesAtBytes">Approximate offset of the L1 and refcount tables.</param>
    /// <exception cref="ArgumentOutOfRangeException">The disk is larger than 2 PiB.</exception>
    public Qcow2Packer(IImageFile file, long diskBytes, bool isZstd, long tablesAtBytes = 0)
    {
        long groups = Divide(diskBytes, (long)ClusterBytes * EntriesPerCluster);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(
            groups, Qcow2Format.QCOW_MAX_L1_SIZE_BYTES / sizeof(ulong), nameof(diskBytes));
        _file = file;
        _isZstd = isZstd;
        _virtualSizeBytes = Divide(diskBytes, SectorBytes) * SectorBytes;
        _l1 = new ulong[groups];
        _l1Start = Math.Max(tablesAtBytes / ClusterBytes, 1);
        long l1Clusters = Divide(groups, EntriesPerCluster);
        _refcountTableStart = _l1Start + l1Clusters;
        _refcountTableClusters = (int)RefcountTableClusters(diskBytes, tablesAtBytes);
        _allocator = new Qcow2Allocator(_l1Start, l1Clusters + _refcountTableClusters);
        _allocator.AllocateClusters(1);
    }

    /// <summary>Writes the header. First of all.</summary>
    public ValueTask BeginAsync(CancellationToken cancellationToken)
    {
        WriteHeader();
        return WriteHeaderAsync(cancellationToken);
    }

    /// <summary>Tells the file what is final. To be called when all that was placed is written.</summary>
    public async ValueTask MarkFinalAsync(CancellationToken cancellationToken)
    {
        // The piece that was added last may have been followed by many clusters that were not compressed.
        if (_packLength > 0 && _allocator.FinalBytes > _packOffset + _packLength)
        {
            await WritePackAsync(cancellationToken).ConfigureAwait(false);
        }

        long final = _packLength > 0 ? Math.Min(_packOffset, _allocator.FinalBytes) : _allocator.FinalBytes;
        _file.MarkFinal(Math.Min(final, _l1Start * ClusterBytes));
    }

    /// <summary>The cluster belongs to another L2 table than the one before: <see cref="TurnAsync"/> first.</summary>
    public bool MustTurn(long cluster) => cluster / EntriesPerCluster != _group;

    /// <summary>Writes the L2 table that is full, and what else is final, and begins the one of a cluster.</summary>
    public async ValueTask TurnAsync(long cluster, CancellationToken cancellationToken)
    {
        await FinishTableAsync(cancellationToken).ConfigureAwait(false);
        _group = (int)(cluster / EntriesPerCluster);
    }

    /// <summary>Gives a cluster of the disk a cluster of the file; the caller writes it there.</summary>
    /// <returns>Where, in bytes.</returns>
    public long PlaceStored(long cluster)
    {
        long offset = _allocator.AllocateClusters(1) * ClusterBytes;
        SetEntry(cluster, (ulong)offset | Qcow2Format.QCOW_OFLAG_COPIED);
        return offset;
    }

    /// <summary>Appends a compressed cluster.</summary>
    /// <param name="cluster">Which of the disk.</param>
    /// <param name="compressed">Shorter than a cluster; belongs to the caller again when the task is done.</param>
    /// <param name="cancellationToken">Ends a write.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask AddPackedAsync(
        long cluster, ReadOnlyMemory<byte> compressed, CancellationToken cancellationToken)
    {
        long offset = _allocator.AllocatePacked(compressed.Length);
        if (offset != _packOffset + _packLength || compressed.Length > PackBytes - _packLength)
        {
            await WritePackAsync(cancellationToken).ConfigureAwait(false);
            _packOffset = offset;
        }

        compressed.Span.CopyTo(_pack.AsSpan(_packLength));
        _packLength += compressed.Length;
        long sectors = ((offset + compressed.Length - 1) / SectorBytes) - (offset / SectorBytes);
        SetEntry(cluster, Qcow2Format.QCOW_OFLAG_COMPRESSED | ((ulong)sectors << CompressedOffsetBits) | (ulong)offset);
    }

    /// <summary>Writes all that is left and gives the file its length.</summary>
    /// <returns>The length, in bytes; a multiple of the cluster.</returns>
    public async Task<long> FinishAsync(CancellationToken cancellationToken)
    {
        await FinishTableAsync(cancellationToken).ConfigureAwait(false);
        await WritePackAsync(cancellationToken).ConfigureAwait(false);
        _allocator.TakeReserved();
        await WriteTableAsync(_l1Start, _refcountTableStart - _l1Start, _l1.Length, i => _l1[i], cancellationToken)
            .ConfigureAwait(false);
        await WriteRefcountsAsync(cancellationToken).ConfigureAwait(false);
        long length = _allocator.EndCluster * ClusterBytes;
        _file.SetLength(length);
        return length;
    }

    private static long Divide(long value, long by) => (value + by - 1) / by;

    private void SetEntry(long cluster, ulong entry) =>
        BinaryPrimitives.WriteUInt64BigEndian(_table.AsSpan((int)(cluster % EntriesPerCluster) * sizeof(ulong)), entry);

    private async ValueTask FinishTableAsync(CancellationToken cancellationToken)
    {
        if (_group >= 0 && !ZeroTest.IsZero(_table))
        {
            long offset = _allocator.AllocateClusters(1) * ClusterBytes;
            _l1[_group] = (ulong)offset | Qcow2Format.QCOW_OFLAG_COPIED;
            await _file.WriteAtAsync(offset, _table, cancellationToken).ConfigureAwait(false);
        }

        _table.AsSpan().Clear();
        while (_allocator.IsFirstBlockFinal)
        {
            await WriteRefcountBlockAsync(_allocator.AllocateClusters(1), cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask WritePackAsync(CancellationToken cancellationToken)
    {
        if (_packLength > 0)
        {
            await _file.WriteAtAsync(_packOffset, _pack.AsMemory(0, _packLength), cancellationToken)
                .ConfigureAwait(false);
            _packLength = 0;
        }
    }

    // For the longest file that the disk can become: every cluster stored as it is, and the tables; they are less than
    // a 64th of it.
    private static long RefcountTableClusters(long diskBytes, long tablesAtBytes)
    {
        long clusters = Divide(diskBytes, ClusterBytes);
        long most = Math.Max(clusters + (clusters / 64), tablesAtBytes / ClusterBytes) + 1024;
        return Divide(Divide(most, Qcow2Allocator.RefcountsPerBlock), EntriesPerCluster);
    }

    // The blocks count themselves: repeat until they cover all. Grows by one or two, so it ends at once.
    private async Task WriteRefcountsAsync(CancellationToken cancellationToken)
    {
        long blocks;
        long needed = 0;
        do
        {
            blocks = needed;
            long end = _allocator.EndCluster + Math.Max(blocks - _refcountBlocks.Count, 0);
            needed = Divide(end, Qcow2Allocator.RefcountsPerBlock);
        }
        while (blocks != needed);

        long blockStart = _allocator.AllocateClusters(blocks - _refcountBlocks.Count);
        while (_refcountBlocks.Count < blocks)
        {
            await WriteRefcountBlockAsync(blockStart++, cancellationToken).ConfigureAwait(false);
        }

        await WriteTableAsync(
            _refcountTableStart,
            _refcountTableClusters,
            _refcountBlocks.Count,
            i => (ulong)(_refcountBlocks[i] * ClusterBytes),
            cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask WriteRefcountBlockAsync(long cluster, CancellationToken cancellationToken)
    {
        byte[] block = _allocator.TakeFirstBlock();
        _refcountBlocks.Add(cluster);
        await _file.WriteAtAsync(cluster * ClusterBytes, block, cancellationToken).ConfigureAwait(false);
        _allocator.GiveBack(block);
    }

    private async Task WriteTableAsync(
        long start, long clusters, int entries, Func<int, ulong> entry, CancellationToken cancellationToken)
    {
        for (int cluster = 0; cluster < clusters; cluster++)
        {
            int first = cluster * EntriesPerCluster;
            _table.AsSpan().Clear();
            for (int i = 0; i < Math.Min(EntriesPerCluster, entries - first); i++)
            {
                BinaryPrimitives.WriteUInt64BigEndian(_table.AsSpan(i * sizeof(ulong)), entry(first + i));
            }

            await _file.WriteAtAsync((start + cluster) * ClusterBytes, _table, cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask WriteHeaderAsync(CancellationToken cancellationToken)
    {
        await _file.WriteAtAsync(0, _table, cancellationToken).ConfigureAwait(false);
        _table.AsSpan().Clear();
    }

    private void WriteHeader()
    {
        Span<byte> header = _table;
        header.Clear();
        BinaryPrimitives.WriteUInt32BigEndian(header, Qcow2Format.QCOW_MAGIC);
        BinaryPrimitives.WriteUInt32BigEndian(header[4..], 3);
        BinaryPrimitives.WriteUInt32BigEndian(header[20..], ClusterMap.ClusterBits);
        BinaryPrimitives.WriteInt64BigEndian(header[24..], _virtualSizeBytes);
        BinaryPrimitives.WriteInt32BigEndian(header[36..], _l1.Length);
        BinaryPrimitives.WriteInt64BigEndian(header[40..], _l1Start * ClusterBytes);
        BinaryPrimitives.WriteInt64BigEndian(header[48..], _refcountTableStart * ClusterBytes);
        BinaryPrimitives.WriteInt32BigEndian(header[56..], _refcountTableClusters);
        BinaryPrimitives.WriteUInt64BigEndian(header[72..], _isZstd ? Qcow2Format.QCOW2_INCOMPAT_COMPRESSION : 0);
        BinaryPrimitives.WriteUInt32BigEndian(header[96..], Qcow2Format.REFCOUNT_ORDER);
        BinaryPrimitives.WriteInt32BigEndian(
            header[100..], _isZstd ? Qcow2Format.V3_HEADER_LENGTH_WITH_COMPRESSION : Qcow2Format.V3_HEADER_LENGTH);
        if (_isZstd)
        {
            header[104] = Qcow2Format.QCOW2_COMPRESSION_TYPE_ZSTD;
        }
    }
}
