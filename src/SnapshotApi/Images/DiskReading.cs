using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace SnapshotApi.Images;

/// <summary>Reads a disk's data with all its connections and hands the batches out in the order of the disk.</summary>
internal static class DiskReading
{
    /// <summary>
    /// Starts the readers and runs the body, which takes batches from the ring. Whoever fails first - a reader, the body, the watch, the
    /// user - ends it for all, and that failure is the one thrown.
    /// </summary>
    public static async Task RunAsync(
        DiskSource source, ImageStreamOptions options, Func<ReadRing, StallWatch, Task> body, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var watch = new StallWatch(options, () => source.ReceivedCount, cancellationToken);
        await ConnectAsync(source, options, watch).ConfigureAwait(false);
        var reader = new ParallelReader(source, options);
        await using (reader.ConfigureAwait(false))
        {
            using CancellationTokenRegistration registration = watch.Token.UnsafeRegister(
                static (ring, token) => ((ReadRing)ring!).Fail(new OperationCanceledException(token)), reader.Ring);
            try
            {
                await body(reader.Ring, watch).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                Exception first = reader.Ring.Fail(e);
                ExceptionDispatchInfo.Throw(first is OperationCanceledException cancelled ? watch.Explain(cancelled) : first);
            }
        }
    }

    /// <summary>Shows all data to a visitor.</summary>
    /// <param name="source">What is read.</param>
    /// <param name="options">How.</param>
    /// <param name="visit">Called with each batch; returns at once.</param>
    /// <param name="progress">Told the disk bytes seen so far.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static Task VisitAsync(
        DiskSource source, ImageStreamOptions options, Action<ReadBatch> visit, IProgress<long>? progress, CancellationToken cancellationToken) =>
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
