using SnapshotApi.Nbd;

namespace SnapshotApi.Images;

/// <summary>Reads the data of a disk with all its connections, each on a thread of its own, into a <see cref="ReadRing"/>.</summary>
internal sealed class ParallelReader : IAsyncDisposable
{
    /// <summary>
    /// Size of a batch: large enough that the hand-over between threads and the write cost nothing, small enough that every
    /// connection has two of them within the memory allowed.
    /// </summary>
    public const int BatchBytes = 1024 * 1024;

    /// <summary>Reads in flight per connection: enough to hide the server's latency on scattered single clusters.</summary>
    private const int ReadsInFlight = 16;

    private readonly DiskSource _source;
    private readonly int _batchesPerConnection;
    private readonly Task[] _threads;

    public ParallelReader(DiskSource source, ImageStreamOptions options)
    {
        _source = source;
        int batches = Math.Max(2, options.MaxBuffersBytes / BatchBytes);
        _batchesPerConnection = Math.Max(1, batches / source.Connections.Count);
        Ring = new ReadRing(source.Map, source.Connections, batches, BatchBytes, RequestBytes(source, options));
        _threads = [.. Enumerable.Range(0, source.Connections.Count).Select(StartAsync)];
    }

    public ReadRing Ring { get; }

    /// <summary>Stops the threads. Connections with reads in flight are closed, since these write into the buffers.</summary>
    public async ValueTask DisposeAsync()
    {
        Ring.Fail(new ObjectDisposedException(nameof(ParallelReader)));
        await Task.WhenAll(_threads).ConfigureAwait(false);
        Ring.Dispose();
    }

    private static int RequestBytes(DiskSource source, ImageStreamOptions options)
    {
        long limit = source.MaximumRequestBytes > 0 ? source.MaximumRequestBytes : BatchBytes;
        long bytes = Math.Min(Math.Min(options.RequestSizeBytes, limit), BatchBytes);
        return (int)Math.Max(bytes / ClusterMap.ClusterBytes, 1) * ClusterMap.ClusterBytes;
    }

    private Task StartAsync(int index) => DedicatedThread.RunAsync($"nbd-read-{index}", () => Run(index));

    private void Run(int index)
    {
        NbdConnection connection = _source.Connections[index];
        var reader = new NbdReader(connection, ReadsInFlight);
        try
        {
            ReadAll(reader, index);
        }
        catch (Exception e)
        {
            // The thread's end is the copy's: the consumer throws it.
            Ring.Fail(e is NbdException nbd ? SourceErrors.From(nbd, "reading the disk") : e);
        }
        finally
        {
            if (reader.InFlight > 0)
            {
                connection.Dispose();
            }
        }
    }

    private void ReadAll(NbdReader reader, int index)
    {
        ReadBatch? current = null;
        int held = 0;
        while (!Ring.IsFailed)
        {
            while (reader.CanSubmit)
            {
                if (current is null)
                {
                    current = held < _batchesPerConnection ? Ring.TryClaim(index) : null;
                    if (current is null)
                    {
                        break;
                    }

                    held++;
                }

                current.SubmitNext(reader);
                if (current.IsSubmitted)
                {
                    // From here on it may become the consumer's, then another thread's.
                    current = null;
                }
            }

            if (reader.InFlight == 0 && Ring.IsClosed)
            {
                return;
            }

            reader.Wait(Timeout.InfiniteTimeSpan);
            while (reader.TryTake(out NbdReadResult result))
            {
                ReadBatch batch = Ring[result.Tag];
                if (result.Error is not null)
                {
                    throw result.Error;
                }

                batch.FinishOne();
                if (batch.IsFinished)
                {
                    held--;
                    Ring.Finish(batch);
                }
            }
        }
    }
}
