using System.Buffers.Binary;

namespace SnapshotApi.Tests.Images;

/// <summary>
/// An independent reader of uncompressed qcow2: follows the tables from the specification, sharing nothing with the writer,
/// and checks that every cluster of the file is used exactly once and counted so.
/// </summary>
internal sealed class TinyQcow2
{
    private const ulong OffsetMask = 0x00ff_ffff_ffff_fe00;
    private readonly Func<long, byte[]> _cluster;
    private readonly HashSet<long> _uses = [];
    private readonly long _fileClusters;

    /// <param name="lengthBytes">Length of the file.</param>
    /// <param name="cluster">Returns one cluster of the file.</param>
    public TinyQcow2(long lengthBytes, Func<long, byte[]> cluster)
    {
        _cluster = cluster;
        Assert.Equal(0, lengthBytes % 65536);
        _fileClusters = lengthBytes / 65536;
        Parse();
    }

    public long VirtualSizeBytes { get; private set; }

    /// <summary>File cluster of each allocated guest cluster.</summary>
    public SortedDictionary<long, long> Allocated { get; } = [];

    private static ulong U64(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(offset));

    private static uint U32(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(offset));

    private void Parse()
    {
        byte[] header = _cluster(0);
        Use(0);
        Assert.Equal(0x514649fbu, U32(header, 0));
        Assert.Equal(3u, U32(header, 4));
        Assert.Equal(0ul, U64(header, 8));
        Assert.Equal(16u, U32(header, 20));
        VirtualSizeBytes = (long)U64(header, 24);
        Assert.Equal(0, VirtualSizeBytes % 512);
        Assert.Equal(0u, U32(header, 32));
        Assert.Equal(0u, U32(header, 60));
        Assert.Equal(0ul, U64(header, 72));
        Assert.Equal(4u, U32(header, 96));
        Assert.Equal(104u, U32(header, 100));
        Assert.Equal(0ul, U64(header, 104));

        uint l1Size = U32(header, 36);
        Assert.Equal((VirtualSizeBytes + (512L << 20) - 1) / (512L << 20), l1Size);
        ReadL1((long)U64(header, 40), l1Size);
        CheckRefcounts((long)U64(header, 48), U32(header, 56));
    }

    private void ReadL1(long offset, uint size)
    {
        for (uint i = 0; i < size; i++)
        {
            long cluster = (offset / 65536) + (i / 8192);
            if (i % 8192 == 0)
            {
                Use(cluster);
            }

            ulong entry = U64(_cluster(cluster), (int)(i % 8192) * 8);
            if (entry != 0)
            {
                ReadL2(Checked(entry), i * 8192L);
            }
        }
    }

    private void ReadL2(long cluster, long firstGuestCluster)
    {
        Use(cluster);
        byte[] table = _cluster(cluster);
        for (int i = 0; i < 8192; i++)
        {
            ulong entry = U64(table, i * 8);
            if (entry != 0)
            {
                long data = Checked(entry);
                Use(data);
                Allocated.Add(firstGuestCluster + i, data);
            }
        }
    }

    private void CheckRefcounts(long offset, uint tableClusters)
    {
        List<long> blocks = [];
        for (uint i = 0; i < tableClusters; i++)
        {
            Use((offset / 65536) + i);
            byte[] table = _cluster((offset / 65536) + i);
            for (int j = 0; j < 8192; j++)
            {
                ulong entry = U64(table, j * 8);
                if (entry != 0)
                {
                    Assert.Equal((i * 8192) + j, blocks.Count);
                    blocks.Add((long)(entry / 65536));
                    Use((long)(entry / 65536));
                }
            }
        }

        for (int i = 0; i < blocks.Count; i++)
        {
            byte[] block = _cluster(blocks[i]);
            for (int j = 0; j < 32768; j++)
            {
                long cluster = (i * 32768L) + j;
                int count = BinaryPrimitives.ReadUInt16BigEndian(block.AsSpan(j * 2));
                if (count != (cluster < _fileClusters ? 1 : 0))
                {
                    Assert.Fail($"cluster {cluster} of {_fileClusters} counted {count} times");
                }
            }
        }

        Assert.True(blocks.Count * 32768L >= _fileClusters);
        Assert.Equal(_fileClusters, _uses.Count);
    }

    private static long Checked(ulong entry)
    {
        Assert.Equal(1ul << 63, entry & ~OffsetMask);
        Assert.Equal(0ul, entry & OffsetMask & 0xffff);
        return (long)((entry & OffsetMask) / 65536);
    }

    private void Use(long cluster)
    {
        if (cluster < 0 || cluster >= _fileClusters || !_uses.Add(cluster))
        {
            Assert.Fail($"cluster {cluster} of {_fileClusters} lies outside the file or is used twice");
        }
    }
}
