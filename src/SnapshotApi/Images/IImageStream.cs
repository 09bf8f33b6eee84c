namespace SnapshotApi.Images;

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
