namespace SnapshotApi.Images;

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
