using System.Runtime.CompilerServices;

namespace SnapshotApi.Images;

/// <summary>Counts what the sink takes, tells the watch when it is waited for, and marks its failures as the destination's.</summary>
internal sealed class GuardedSink(IImageSink inner, StallWatch watch) : IImageSink
{
    public long LengthBytes { get; private set; }

    /// <summary>Told how far the sink is after each run of zeros, behind which no data may come for long.</summary>
    public Action<long>? Advanced { get; set; }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        watch.WaitFor(CopySide.Destination);
        try
        {
            await inner.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!IsCancellation(e, cancellationToken))
        {
            throw Failure(e);
        }

        LengthBytes += bytes.Length;
        watch.WaitFor(CopySide.Source);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken)
    {
        watch.WaitFor(CopySide.Destination);
        try
        {
            await inner.WriteZerosAsync(lengthBytes, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!IsCancellation(e, cancellationToken))
        {
            throw Failure(e);
        }

        LengthBytes += lengthBytes;
        watch.WaitFor(CopySide.Source);
        Advanced?.Invoke(LengthBytes);
    }

    /// <summary>A sink's own time-out looks like a cancellation too, but our token tells.</summary>
    private static bool IsCancellation(Exception exception, CancellationToken cancellationToken) =>
        exception is OperationCanceledException && cancellationToken.IsCancellationRequested;

    private static ImageCopyException Failure(Exception cause) => new(CopySide.Destination, "writing the image failed", cause);
}
