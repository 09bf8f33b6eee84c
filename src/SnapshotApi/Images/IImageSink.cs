namespace SnapshotApi.Images;

/// <summary>Receives an image file strictly in order. Not thread-safe.</summary>
internal interface IImageSink
{
    /// <summary>Appends bytes; the memory belongs to the caller again when the task is done.</summary>
    ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Appends zeros; a store that can may leave a hole.</summary>
    ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken);
}
