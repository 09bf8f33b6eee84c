using SnapshotApi.Codecs;

namespace SnapshotApi.Images;

/// <summary>A thread per core that looks for zeros and compresses. The caller disposes, before the buffers of the batches go.</summary>
internal sealed class ClusterWorkers : IAsyncDisposable
{
    /// <summary>
    /// With 8 threads zstd is faster than NBD delivers; each costs a buffer of 1 MiB and its library's context, and four captures at once
    /// must stay below the service's 250 MiB.
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
        int threads = compression == Compression.None ? 1 : Math.Min(Environment.ProcessorCount, MaxThreads);
        _jobs = [.. Enumerable.Range(0, Math.Min(threads + 2, maxJobs)).Select(_ => new PackJob(compression != Compression.None))];
        _queue = new Queue<PackJob>(_jobs.Length);
        BlockCompressor?[] compressors =
            [.. Enumerable.Range(0, threads).Select(_ => compression == Compression.None ? null : ClusterCompressors.Create(compression, level))];
        _threads = [.. compressors.Select((compressor, i) => DedicatedThread.RunAsync($"pack-{i}", () => Work(compressor)))];
    }

    /// <summary>Jobs at once: one per thread, one that is written, one that waits.</summary>
    public int JobCount => _jobs.Length;

    /// <summary>Begins a batch.</summary>
    /// <param name="index">Which job, 0 to <see cref="JobCount"/> - 1; the one used before under this index is done.</param>
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
