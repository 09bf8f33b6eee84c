using System.Threading.Tasks.Sources;
using SnapshotApi.Codecs;

namespace SnapshotApi.Images;

/// <summary>
/// A batch on its way through a <see cref="ClusterWorkers"/> thread: for each cluster whether it is zero, its compressed form, or that
/// it is to be stored as it is. Used over and over; allocates nothing per batch.
/// </summary>
internal sealed class PackJob : IValueTaskSource
{
    private const int ClusterBytes = ClusterMap.ClusterBytes;

    private readonly byte[] _output;
    private readonly PackedCluster[] _clusters = new PackedCluster[ParallelReader.BatchBytes / ClusterBytes];
    private ManualResetValueTaskSourceCore<bool> _done = new() { RunContinuationsAsynchronously = true };
    private int _count;
    private int _outputLength;

    /// <param name="compresses">It needs room for compressed clusters.</param>
    public PackJob(bool compresses) => _output = compresses ? GC.AllocateUninitializedArray<byte>(ParallelReader.BatchBytes) : [];

    /// <summary>What is looked at; belongs to the job until it is done.</summary>
    public ReadBatch? Batch { get; private set; }

    /// <summary>The result.</summary>
    public ReadOnlySpan<PackedCluster> Clusters => _clusters.AsSpan(0, _count);

    /// <summary>The compressed form of a cluster.</summary>
    public ReadOnlyMemory<byte> Compressed(in PackedCluster cluster) => _output.AsMemory(cluster.OutputOffset, cluster.CompressedLength);

    /// <summary>Gives it a batch.</summary>
    public void Begin(ReadBatch batch)
    {
        (Batch, _count, _outputLength) = (batch, 0, 0);
        _done.Reset();
    }

    /// <summary>Waits for <see cref="Run"/>; once per batch.</summary>
    public ValueTask DoneAsync() => new(this, _done.Version);

    /// <summary>Does the work, on the calling thread.</summary>
    /// <param name="compressor">Null: nothing is compressed.</param>
    /// <param name="padded">Room for one cluster, for the last one of a disk.</param>
    public void Run(BlockCompressor? compressor, byte[] padded)
    {
        try
        {
            foreach (ref readonly DiskRead read in Batch!.Reads)
            {
                for (int offset = 0; offset < read.LengthBytes; offset += ClusterBytes)
                {
                    int length = Math.Min(ClusterBytes, read.LengthBytes - offset);
                    Pack((read.OffsetBytes + offset) / ClusterBytes, read.BufferOffsetBytes + offset, length, compressor, padded);
                }
            }

            _done.SetResult(true);
        }
        catch (Exception e)
        {
            // The thread serves other batches, too: whoever waits for this one gets it.
            _done.SetException(e);
        }
    }

    void IValueTaskSource.GetResult(short token) => _done.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _done.GetStatus(token);

    void IValueTaskSource.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _done.OnCompleted(continuation, state, token, flags);

    private void Pack(long cluster, int bufferOffset, int length, BlockCompressor? compressor, byte[] padded)
    {
        ReadOnlySpan<byte> bytes = Batch!.Buffer.Memory.Span.Slice(bufferOffset, length);
        if (ZeroTest.IsZero(bytes))
        {
            return;
        }

        int compressedLength = 0;
        if (compressor is not null)
        {
            if (length < ClusterBytes)
            {
                // A reader inflates a whole cluster.
                padded.AsSpan(length).Clear();
                bytes.CopyTo(padded);
                bytes = padded;
            }

            compressor.TryCompress(bytes, _output.AsSpan(_outputLength, ClusterBytes - 1), out int written);
            compressedLength = written;
        }

        _clusters[_count++] = new PackedCluster(cluster, bufferOffset, length, _outputLength, compressedLength);
        _outputLength += compressedLength;
    }
}
