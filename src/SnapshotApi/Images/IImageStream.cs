namespace SnapshotApi.Images;

/// <summary>
/// One disk, planned as an image file: its length is known before a byte of it is read. The caller disposes; that closes
/// the NBD connections.
/// </summary>
internal interface IImageStream : IAsyncDisposable
{
    ImageFormat Format { get; }

    /// <summary>Size of the disk in the image.</summary>
    long VirtualSizeBytes { get; }

    /// <summary>Exact length of the file that <see cref="CopyToAsync"/> writes.</summary>
    long LengthBytes { get; }

    /// <summary>Bytes that will be read from the disk: what is allocated, in whole clusters.</summary>
    long DataBytes { get; }

    /// <summary>Writes the file into the sink, in order. Once per stream.</summary>
    /// <param name="sink">Receives exactly <see cref="LengthBytes"/> bytes.</param>
    /// <param name="progress">Told the disk bytes done so far, of <see cref="DataBytes"/>, after each piece that the sink took.</param>
    /// <param name="cancellationToken">Ends the copy at once, also if the server stalls.</param>
    /// <exception cref="ImageCopyException">Reading or writing failed; it names the side and keeps the first cause.</exception>
    /// <exception cref="ImageStalledException">No byte moved for the stall limit; a <see cref="TimeoutException"/>.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    Task CopyToAsync(IImageSink sink, IProgress<long> progress, CancellationToken cancellationToken);
}
