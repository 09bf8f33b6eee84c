using Microsoft.Win32.SafeHandles;
using SnapshotApi.Images;

namespace SnapshotApi.Stores;

/// <summary>Writes an image into a file, in order or not; zeros become holes. Owns the handle.</summary>
/// <param name="file">Empty, open for writing.</param>
/// <param name="path">Where it is.</param>
/// <param name="lengthBytes">Its final length, unless <see cref="SetLength"/> tells another.</param>
internal sealed class FileSink(SafeFileHandle file, string path, long lengthBytes) : IImageSink, IImageFile, IDisposable
{
    private long _offset;

    /// <summary>How far the image was written, holes included.</summary>
    public long WrittenBytes => _offset;

    /// <summary>The file's final length.</summary>
    public long LengthBytes { get; private set; } = lengthBytes;

    public string Path => path;

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

    public ValueTask WriteAtAsync(long offsetBytes, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        RandomAccess.WriteAsync(file, bytes, offsetBytes, cancellationToken);

    public void SetLength(long lengthBytes)
    {
        RandomAccess.SetLength(file, lengthBytes);
        (LengthBytes, _offset) = (lengthBytes, lengthBytes);
    }

    /// <summary>Gives the file its full length and makes it durable.</summary>
    public Task CompleteAsync(CancellationToken cancellationToken) => Task.Factory.StartNew(
        () =>
        {
            RandomAccess.SetLength(file, LengthBytes);
            RandomAccess.FlushToDisk(file);
        },
        cancellationToken,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    public void Dispose() => file.Dispose();
}
