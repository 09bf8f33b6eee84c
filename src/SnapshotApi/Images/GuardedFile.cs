using System.Runtime.CompilerServices;

namespace SnapshotApi.Images;

/// <summary>Tells the watch when the file is waited for, and marks its failures as the destination's.</summary>
internal sealed class GuardedFile(IImageFile inner, StallWatch watch) : IImageFile
{
    public string Path => inner.Path;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAtAsync(long offsetBytes, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        watch.WaitFor(CopySide.Destination);
        try
        {
            await inner.WriteAtAsync(offsetBytes, bytes, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw Failure(e);
        }

        watch.WaitFor(CopySide.Source);
    }

    public void MarkFinal(long bytes) => inner.MarkFinal(bytes);

    public void SetLength(long lengthBytes)
    {
        try
        {
            inner.SetLength(lengthBytes);
        }
        catch (IOException e)
        {
            throw Failure(e);
        }
    }

    private static ImageCopyException Failure(Exception cause) => new(CopySide.Destination, "writing the image failed", cause);
}
