namespace SnapshotApi.Images;

/// <summary>
/// One disk, planned as an image file. It is an <see cref="IImageStream"/>, ready to be sent in order; or an
/// <see cref="IFileImage"/>, which is written into a file first; or an <see cref="IUnscannedImage"/>, which becomes a stream by
/// reading the disk through. The caller disposes; that closes the NBD connections.
/// </summary>
internal interface IDiskImage : IAsyncDisposable
{
    ImageFormat Format { get; }

    /// <summary>Size of the disk in the image.</summary>
    long VirtualSizeBytes { get; }

    /// <summary>Length of the file: of a stream exactly, else what a sample of the disk lets expect.</summary>
    long LengthBytes { get; }

    /// <summary>Bytes that will be read from the disk: what is allocated, in whole clusters.</summary>
    long DataBytes { get; }

    /// <summary>Bytes that have to be gone through to make the image, in the unit of its progress: more than the data where zeros are work, too.</summary>
    long WorkBytes => DataBytes;

    /// <summary>What was found out about zeros, for the log; null when nobody looked.</summary>
    string? Finding { get; }
}

/// <summary>
/// One disk, planned as an image file whose length is known before a byte of it is sent.
/// </summary>
internal interface IImageStream : IDiskImage
{
    /// <summary>Writes the file into the sink, in order. Once per stream.</summary>
    /// <param name="sink">Receives exactly <see cref="IDiskImage.LengthBytes"/> bytes.</param>
    /// <param name="progress">Told the disk bytes done so far, of <see cref="IDiskImage.DataBytes"/>, after each piece that the sink took.</param>
    /// <param name="cancellationToken">Ends the copy at once, also if the server stalls.</param>
    /// <exception cref="ImageCopyException">Reading or writing failed; it names the side and keeps the first cause.</exception>
    /// <exception cref="ImageStalledException">No byte moved for the stall limit; a <see cref="TimeoutException"/>.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    Task CopyToAsync(IImageSink sink, IProgress<long> progress, CancellationToken cancellationToken);
}

/// <summary>
/// One disk, planned as an image file that is not written in order: where a cluster lies is known only after those before it were
/// compressed or left out, so the tables come last.
/// </summary>
internal interface IFileImage : IDiskImage
{
    /// <summary>Writes the file and gives it its length. Once per image.</summary>
    /// <param name="file">Empty.</param>
    /// <param name="progress">Told the disk bytes done so far, of <see cref="IDiskImage.DataBytes"/>.</param>
    /// <param name="cancellationToken">Ends it at once, also if the server stalls.</param>
    /// <exception cref="ImageCopyException">Reading or writing failed; it names the side and keeps the first cause.</exception>
    /// <exception cref="ImageStalledException">No byte moved for the stall limit; a <see cref="TimeoutException"/>.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    Task WriteAsync(IImageFile file, IProgress<long> progress, CancellationToken cancellationToken);
}

/// <summary>
/// One disk whose allocated zeros are to be left out of an image that must be sent in order: the disk is read through first, then it
/// is known what is stored and how long the file is.
/// </summary>
internal interface IUnscannedImage : IDiskImage
{
    /// <summary>Reads the disk through. Once per image; the stream uses its connections, so this image is disposed after the stream.</summary>
    /// <param name="progress">Told the disk bytes done so far, of <see cref="IDiskImage.DataBytes"/>.</param>
    /// <param name="cancellationToken">Ends it at once, also if the server stalls.</param>
    /// <exception cref="ImageCopyException">Reading failed.</exception>
    /// <exception cref="ImageStalledException">No byte came for the stall limit.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    Task<IImageStream> ScanAsync(IProgress<long> progress, CancellationToken cancellationToken);
}
