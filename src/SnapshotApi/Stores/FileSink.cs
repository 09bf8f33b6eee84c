using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using SnapshotApi.Errors;
using SnapshotApi.Host;
using SnapshotApi.Images;

namespace SnapshotApi.Stores;

/// <summary>Writes an image into a file, in order or not; zeros become holes. Owns the handle.</summary>
/// <param name="file">Empty, open for writing.</param>
/// <param name="path">Where it is.</param>
/// <param name="lengthBytes">Its final length, unless <see cref="SetLength"/> tells another.</param>
/// <param name="place">What users call the place where it is.</param>
/// <param name="code">What a failure there is, unless there is no space.</param>
internal sealed class FileSink(
    SafeFileHandle file, string path, long lengthBytes, string place = "the directory store", SnapshotErrorCode code = SnapshotErrorCode.StoreFailed)
    : IImageSink, IImageFile, IDisposable
{
    private long _offset;

    /// <summary>How far the image was written, holes included.</summary>
    public long WrittenBytes => _offset;

    /// <summary>The file's final length.</summary>
    public long LengthBytes { get; private set; } = lengthBytes;

    public string Path => path;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await WriteAtAsync(_offset, bytes, cancellationToken).ConfigureAwait(false);
        _offset += bytes.Length;
    }

    public ValueTask WriteZerosAsync(long zeroBytes, CancellationToken cancellationToken)
    {
        _offset += zeroBytes;
        return ValueTask.CompletedTask;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAtAsync(long offsetBytes, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            await RandomAccess.WriteAsync(file, bytes, offsetBytes, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (StorageErrors.IsOne(e))
        {
            throw Failure(e);
        }
    }

    public void SetLength(long lengthBytes)
    {
        Truncate(lengthBytes);
        (LengthBytes, _offset) = (lengthBytes, lengthBytes);
    }

    /// <summary>Gives the file its full length and makes it durable.</summary>
    public Task CompleteAsync(CancellationToken cancellationToken) => Task.Factory.StartNew(
        () =>
        {
            Truncate(LengthBytes);
            Flush();
        },
        cancellationToken,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    public void Dispose() => file.Dispose();

    private void Truncate(long lengthBytes)
    {
        try
        {
            RandomAccess.SetLength(file, lengthBytes);
        }
        catch (Exception e) when (StorageErrors.IsOne(e))
        {
            throw Failure(e);
        }
    }

    // NFS, btrfs and thin volumes tell only here that there is no space.
    private void Flush()
    {
        try
        {
            RandomAccess.FlushToDisk(file);
        }
        catch (Exception e) when (StorageErrors.IsOne(e))
        {
            throw Failure(e);
        }
    }

    private SnapshotException Failure(Exception e) => StorageErrors.Translate(e, place, $"the image can't be written in {place}", code);
}
