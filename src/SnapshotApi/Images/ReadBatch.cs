using SnapshotApi.Nbd;

namespace SnapshotApi.Images;

/// <summary>
/// A buffer's worth of data in the order of the disk, read by one connection: scattered clusters are packed together, so
/// that a fragmented disk still makes large writes. Used over and over.
/// </summary>
internal sealed class ReadBatch : IDisposable
{
    private readonly DiskRead[] _reads;
    private int _readCount;
    private int _submitted;
    private int _finished;

    /// <param name="slot">Its place in the ring.</param>
    /// <param name="capacityBytes">A multiple of the cluster.</param>
    public ReadBatch(int slot, int capacityBytes)
    {
        Slot = slot;
        Buffer = new NbdBuffer(capacityBytes);
        _reads = new DiskRead[capacityBytes / ClusterMap.ClusterBytes];
    }

    public int Slot { get; }

    public NbdBuffer Buffer { get; }

    /// <summary>Bytes planned; contiguous from the start of the buffer.</summary>
    public int LengthBytes { get; private set; }

    public ReadOnlySpan<DiskRead> Reads => _reads.AsSpan(0, _readCount);

    public bool IsSubmitted => _submitted == _readCount;

    public bool IsFinished => _finished == _readCount;

    /// <summary>Fills the batch from the map.</summary>
    /// <param name="map">What has to be read.</param>
    /// <param name="cluster">Where to go on.</param>
    /// <param name="requestBytes">Longest single read.</param>
    /// <returns>Where the next batch goes on.</returns>
    public long Plan(ClusterMap map, long cluster, int requestBytes)
    {
        (_readCount, _submitted, _finished, LengthBytes) = (0, 0, 0, 0);
        while (LengthBytes < Buffer.LengthBytes && (cluster = map.NextData(cluster)) < map.ClusterCount)
        {
            int room = Math.Min(requestBytes, Buffer.LengthBytes - LengthBytes);
            long end = map.NextHole(cluster, cluster + (room / ClusterMap.ClusterBytes));
            long offset = cluster * ClusterMap.ClusterBytes;
            int length = (int)(Math.Min(end * ClusterMap.ClusterBytes, map.SizeBytes) - offset);
            _reads[_readCount++] = new DiskRead(offset, LengthBytes, length);
            LengthBytes += length;
            cluster = end;
        }

        return cluster;
    }

    public void SubmitNext(NbdReader reader)
    {
        ref readonly DiskRead read = ref _reads[_submitted++];
        reader.Submit(read.OffsetBytes, Buffer, read.BufferOffsetBytes, read.LengthBytes, Slot);
    }

    public void FinishOne() => _finished++;

    public void Dispose() => ((IDisposable)Buffer).Dispose();
}
