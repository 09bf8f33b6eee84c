using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using SnapshotApi.Host;

namespace SnapshotApi.Images;

/// <summary>Where an image goes.</summary>
internal interface IImageTarget
{
    /// <summary>Receives the file, in order.</summary>
    IImageSink Sink { get; }

    /// <summary>The file behind the sink, for an image that is not written in order; null: there is none.</summary>
    IImageFile? File { get; }
}

/// <summary>Receives an image file strictly in order. Not thread-safe.</summary>
internal interface IImageSink
{
    /// <summary>Appends bytes; the memory belongs to the caller again when the task is done.</summary>
    ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Appends zeros; a store that can may leave a hole.</summary>
    ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken);
}

/// <summary>A file of this host, open, that an image is written into in any order. Not thread-safe.</summary>
internal interface IImageFile
{
    /// <summary>Where it is, for a tool that writes into it; never shown to a user.</summary>
    string Path { get; }

    /// <summary>
    /// Writes at a position; what lies between is a hole of zeros. The memory belongs to the caller again when the task
    /// is done.
    /// </summary>
    ValueTask WriteAtAsync(long offsetBytes, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>What lies before this is not written any more: a digest may be computed over it. Never falls.</summary>
    /// <param name="bytes">From the start of the file.</param>
    void MarkFinal(long bytes);

    /// <summary>Gives the file its final length, in bytes.</summary>
    void SetLength(long lengthBytes);
}

/// <summary>Writes an image into a file, in order or not; zeros become holes. Owns the handle.</summary>
/// <param name="file">Empty, open for writing.</param>
/// <param name="path">Where it is.</param>
/// <param name="lengthBytes">Its final length, unless <see cref="SetLength"/> gives another.</param>
/// <param name="place">The place, in the words of users.</param>
/// <param name="code">The code of a failure other than a lack of space.</param>
internal sealed class FileSink(
    SafeFileHandle file,
    string path,
    long lengthBytes,
    string place = "the directory store",
    SnapshotErrorCode code = SnapshotErrorCode.StoreFailed)
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
    public async ValueTask WriteAtAsync(
        long offsetBytes, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
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

    public void MarkFinal(long bytes)
    {
        // A file by itself computes no digest.
    }

    public void SetLength(long lengthBytes)
    {
        Guard(() => RandomAccess.SetLength(file, lengthBytes));
        LengthBytes = _offset = lengthBytes;
    }

    /// <summary>Gives the file its full length and makes it durable.</summary>
    public Task CompleteAsync(CancellationToken cancellationToken) => Task.Factory.StartNew(
        () => Guard(() =>
        {
            // NFS, btrfs and thin volumes say only at the flush that there is no space.
            RandomAccess.SetLength(file, LengthBytes);
            RandomAccess.FlushToDisk(file);
        }),
        cancellationToken,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    public void Dispose() => file.Dispose();

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (StorageErrors.IsOne(e))
        {
            throw Failure(e);
        }
    }

    private SnapshotException Failure(Exception e) =>
        StorageErrors.Translate(e, place, $"the image can't be written in {place}", code);
}
