using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using SnapshotApi.Nbd;

namespace SnapshotApi.Images;

/// <summary>Reads a disk's data with all its connections and hands the batches out in the order of the disk.</summary>
internal static class DiskReading
{
    /// <summary>
    /// Starts the readers and runs the body, which takes batches from the ring. Whoever fails first - a reader, the
    /// body, the watch, the user - ends it for all, and that failure is the one thrown.
    /// </summary>
    public static async Task RunAsync(
        DiskSource source,
        ImageStreamOptions options,
        Func<ReadRing,
        StallWatch,
        Task> body,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var watch = new StallWatch(options, () => source.ReceivedCount, cancellationToken);
        await ConnectAsync(source, options, watch).ConfigureAwait(false);
        Exception failure;
        var reader = new ParallelReader(source, options);
        await using (reader.ConfigureAwait(false))
        {
            using CancellationTokenRegistration registration = watch.Token.UnsafeRegister(
                static (ring, token) => ((ReadRing)ring!).Fail(new OperationCanceledException(token)), reader.Ring);
            try
            {
                await body(reader.Ring, watch).ConfigureAwait(false);
                return;
            }
            catch (Exception e)
            {
                failure = reader.Ring.Fail(watch.Blame(e));
            }
        }

        // A copy that is tried again connects anew.
        source.Release();
        ExceptionDispatchInfo.Throw(
            failure is OperationCanceledException cancelled ? watch.Explain(cancelled) : failure);
    }

    /// <summary>Shows all data to a visitor.</summary>
    /// <param name="source">What is read.</param>
    /// <param name="options">How.</param>
    /// <param name="visit">Called with each batch; returns at once.</param>
    /// <param name="progress">Told the disk bytes seen so far.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static Task VisitAsync(
        DiskSource source,
        ImageStreamOptions options,
        Action<ReadBatch> visit,
        IProgress<long>? progress,
        CancellationToken cancellationToken) =>
        RunAsync(
            source,
            options,
            async (ring, watch) =>
            {
                long doneBytes = 0;
                while (await ring.NextAsync().ConfigureAwait(false) is { } batch)
                {
                    await LimitAsync(options, watch, batch.LengthBytes).ConfigureAwait(false);
                    visit(batch);
                    doneBytes += batch.LengthBytes;
                    ring.Release();
                    progress?.Report(doneBytes);
                    watch.Token.ThrowIfCancellationRequested();
                }
            },
            cancellationToken);

    /// <summary>Waits until the bytes may be read, if there is a limit.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public static async ValueTask LimitAsync(ImageStreamOptions options, StallWatch watch, int bytes)
    {
        if (options.Bandwidth is { IsLimited: true } limit)
        {
            watch.WaitFor(null);
            await limit.WaitAsync(bytes, watch.Token).ConfigureAwait(false);
        }

        watch.WaitFor(CopySide.Source);
    }

    private static async Task ConnectAsync(DiskSource source, ImageStreamOptions options, StallWatch watch)
    {
        try
        {
            await source.ConnectAsync(options, watch.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e)
        {
            throw watch.Explain(e);
        }
    }
}

/// <summary>Reads a disk into a <see cref="ReadRing"/>, with a thread for each connection.</summary>
internal sealed class ParallelReader : IAsyncDisposable
{
    /// <summary>
    /// Size of a batch: large enough that the hand-over between threads and the write cost nothing, small enough that
    /// every connection has two of them within the memory allowed.
    /// </summary>
    public const int BatchBytes = 1024 * 1024;

    /// <summary>Reads in flight per connection: they hide the server's latency on scattered clusters.</summary>
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

    /// <summary>Stops the threads. Closes connections with reads in flight, which write into the buffers.</summary>
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
            Ring.Fail(e is NbdException nbd ? ImageErrors.From(nbd, "reading the disk") : e);
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

/// <summary>How a disk is read. The defaults are measured; see the benchmarks.</summary>
internal sealed record ImageStreamOptions
{
    /// <value>NBD connections; null (default) = 4 if the server allows several, else 1.</value>
    public int? Connections { get; init; }

    /// <value>
    /// Longest single read, a multiple of the cluster (64 KiB); default 256 KiB, about what a unix socket buffers: with
    /// four connections qemu-nbd 7.2 gave half the speed for twice the processor time at 512 KiB, and a third at 1 MiB.
    /// Smaller than 128 KiB the round trips count.
    /// </value>
    public int RequestSizeBytes { get; init; } = 256 * 1024;

    /// <value>
    /// Memory for bytes read and not yet written; default 8 MiB, two batches for each of four connections, so that four
    /// captures at once stay well below the service's 250 MiB. Into a sink that never waits it was as fast as 16 MiB,
    /// and 32 MiB no faster.
    /// </value>
    public int MaxBuffersBytes { get; init; } = 8 * 1024 * 1024;

    /// <value>Limit on the disk bytes read per second, shared and changeable; null = none.</value>
    public BandwidthLimit? Bandwidth { get; init; }

    /// <value>
    /// What a tool that reads the disk by itself may read, in bytes a second, asked once, when it begins: it knows no
    /// limit that is shared. Null from it = no limit.
    /// </value>
    public Func<long?> ToolBytesPerSecond { get; init; } = static () => null;

    /// <value>After how long without a byte moved a side counts as stalled; default 60 s.</value>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}

/// <summary>Runs blocking NBD calls on a thread of their own: a stalled server takes none of the pool's.</summary>
internal static class DedicatedThread
{
    /// <summary>The calls need little stack; the default is 8 MiB of address space for each connection.</summary>
    private const int StackBytes = 512 * 1024;

    /// <summary>The task ends when the body has; its exception is the body's.</summary>
    public static Task RunAsync(string name, Action body)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() => Run(body, done), StackBytes) { IsBackground = true, Name = name };
        thread.Start();
        return done.Task;
    }

    private static void Run(Action body, TaskCompletionSource done)
    {
        try
        {
            body();
            done.SetResult();
        }
        catch (OperationCanceledException e)
        {
            done.SetCanceled(e.CancellationToken);
        }
        catch (Exception e)
        {
            // An exception that leaves a thread ends the process: whoever awaits the task gets it.
            done.SetException(e);
        }
    }
}
