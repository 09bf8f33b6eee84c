using System.Threading.Tasks.Sources;
using SnapshotApi.Codecs;

namespace SnapshotApi.Images;

/// <summary>A thread per core that finds zeros and compresses. Disposed before the buffers of the batches.</summary>
internal sealed class ClusterWorkers : IAsyncDisposable
{
    /// <summary>
    /// With 8 threads zstd is faster than NBD delivers; each costs a buffer of 1 MiB and its library's context, and
    /// four captures at once must stay below the service's 250 MiB.
    /// </summary>
    private const int MaxThreads = 8;

    private readonly object _gate = new();
    private readonly Queue<PackJob> _queue;
    private readonly PackJob[] _jobs;
    private readonly Task[] _threads;
    private bool _isEnding;

    /// <param name="compression">What they compress with; None: they only look for zeros.</param>
    /// <param name="level">Its level; null: the default.</param>
    /// <param name="maxJobs">Jobs at once, at least 1.</param>
    /// <exception cref="CodecException">No memory.</exception>
    public ClusterWorkers(Compression compression, int? level, int maxJobs)
    {
        // Without compression one thread looks faster than NBD delivers.
        bool compresses = compression != Compression.None;
        int threads = compresses ? Math.Min(Environment.ProcessorCount, MaxThreads) : 1;
        _jobs = [.. Enumerable.Range(0, Math.Min(threads + 2, maxJobs)).Select(_ => new PackJob(compresses))];
        _queue = new Queue<PackJob>(_jobs.Length);
        var compressors = new BlockCompressor?[threads];
        for (int i = 0; compresses && i < threads; i++)
        {
            compressors[i] = ClusterCompressors.Create(compression, level);
        }

        _threads = [.. compressors.Select((c, i) => DedicatedThread.RunAsync($"pack-{i}", () => Work(c)))];
    }

    /// <summary>Jobs at once: one per thread, one that is written, one that waits.</summary>
    public int JobCount => _jobs.Length;

    /// <summary>Begins a batch.</summary>
    /// <param name="index">0 to <see cref="JobCount"/> - 1; the former job of this index is done.</param>
    /// <param name="batch">What to look at.</param>
    public void Begin(int index, ReadBatch batch)
    {
        PackJob job = _jobs[index];
        job.Begin(batch);
        lock (_gate)
        {
            _queue.Enqueue(job);
            Monitor.Pulse(_gate);
        }
    }

    public PackJob this[int index] => _jobs[index];

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _isEnding = true;
            Monitor.PulseAll(_gate);
        }

        await Task.WhenAll(_threads).ConfigureAwait(false);
    }

    private void Work(BlockCompressor? owned)
    {
        using BlockCompressor? compressor = owned;
        byte[] padded = new byte[ClusterMap.ClusterBytes];
        while (Next() is { } job)
        {
            job.Run(compressor, padded);
        }
    }

    private PackJob? Next()
    {
        lock (_gate)
        {
            while (_queue.Count == 0 && !_isEnding)
            {
                Monitor.Wait(_gate);
            }

            return _isEnding ? null : _queue.Dequeue();
        }
    }
}

/// <summary>
/// A batch on its way through a <see cref="ClusterWorkers"/> thread: for each cluster whether it is zero, its
/// compressed form, or that it is to be stored as it is. Used over and over; allocates nothing per batch.
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
    public PackJob(bool compresses) =>
        _output = compresses ? GC.AllocateUninitializedArray<byte>(ParallelReader.BatchBytes) : [];

    /// <summary>What is looked at; belongs to the job until it is done.</summary>
    public ReadBatch? Batch { get; private set; }

    /// <summary>The result.</summary>
    public ReadOnlySpan<PackedCluster> Clusters => _clusters.AsSpan(0, _count);

    /// <summary>The compressed form of a cluster.</summary>
    public ReadOnlyMemory<byte> Compressed(in PackedCluster cluster) =>
        _output.AsMemory(cluster.OutputOffset, cluster.CompressedLength);

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
                    Pack(
                        (read.OffsetBytes + offset) / ClusterBytes,
                        read.BufferOffsetBytes + offset,
                        length,
                        compressor,
                        padded);
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

/// <summary>One cluster of a <see cref="PackJob"/> that is not zero.</summary>
/// <param name="Cluster">Which of the disk.</param>
/// <param name="BufferOffset">Where its bytes are in the batch's buffer.</param>
/// <param name="Length">How many; only the disk's last cluster may be a partial one.</param>
/// <param name="OutputOffset">Where its compressed form is in the job's output.</param>
/// <param name="CompressedLength">Length of the compressed form; 0: stored as it is.</param>
internal readonly record struct PackedCluster(
    long Cluster, int BufferOffset, int Length, int OutputOffset, int CompressedLength);

/// <summary>The compressors by what a user asks for.</summary>
internal static class ClusterCompressors
{
    /// <summary>The lowest level of a kind of compression.</summary>
    public const int MinLevel = 1;

    /// <summary>A compressor for one thread; the caller disposes.</summary>
    /// <exception cref="CodecException">No memory.</exception>
    public static BlockCompressor Create(Compression compression, int? level) => compression switch
    {
        Compression.Zstd => new ZstdCompressor(level ?? DefaultLevel(compression)),
        Compression.Zlib => new RawDeflateCompressor(level ?? DefaultLevel(compression)),
        _ => throw new ArgumentOutOfRangeException(nameof(compression), compression, "nothing to compress with"),
    };

    /// <summary>The default level: that of the libraries, and so of qemu-img.</summary>
    public static int DefaultLevel(Compression compression) => compression == Compression.Zstd ? 3 : 6;

    /// <summary>The highest level; 0: there are none.</summary>
    public static int MaxLevel(Compression compression) => compression switch
    {
        Compression.Zstd => ZstdCompressor.MaxLevel,
        Compression.Zlib => RawDeflateCompressor.MaxLevel,
        _ => 0,
    };
}

/// <summary>Finds zeros. Uses the widest vectors that the processor has; ends at the first byte that is none.</summary>
internal static class ZeroTest
{
    /// <summary>Whether all bytes are zero.</summary>
    public static bool IsZero(ReadOnlySpan<byte> bytes) => !bytes.ContainsAnyExcept((byte)0);
}
