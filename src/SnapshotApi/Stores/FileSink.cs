using Microsoft.Win32.SafeHandles;
using SnapshotApi.Images;

namespace SnapshotApi.Stores;

/// <summary>Writes an image into a file, in order; zeros become holes. Owns the handle.</summary>
internal sealed class FileSink(SafeFileHandle file, long lengthBytes) : IImageSink, IDisposable
{
    private long _offset;

    /// <summary>How far the image was written, holes included.</summary>
    public long WrittenBytes => _offset;

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await RandomAccess.WriteAsync(file, bytes, _offset, cancellationToken).ConfigureAwait(false);
        _offset += bytes.Length;
    }

    public ValueTask WriteZerosAsync(long zeroBytes, CancellationToken cancellationToken)
    {
        _offset += zeroBytes;
        return ValueTask.CompletedTask;
    }

    /// <summary>Gives the file its full length and makes it durable.</summary>
    public Task CompleteAsync(CancellationToken cancellationToken) => Task.Factory.StartNew(
        () =>
        {
            RandomAccess.SetLength(file, lengthBytes);
            RandomAccess.FlushToDisk(file);
        },
        cancellationToken,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    public void Dispose() => file.Dispose();
}
