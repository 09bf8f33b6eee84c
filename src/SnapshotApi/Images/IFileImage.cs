namespace SnapshotApi.Images;

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
