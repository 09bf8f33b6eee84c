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
