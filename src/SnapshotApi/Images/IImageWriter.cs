using SnapshotApi.Hypervisor;

namespace SnapshotApi.Images;

/// <summary>Plans image files of one format from disks behind NBD.</summary>
internal interface IImageWriter
{
    ImageFormat Format { get; }

    /// <summary>Connects, asks what is allocated, and plans the file. Reads no data. The caller disposes the stream.</summary>
    /// <exception cref="ImageCopyException">The disk can't be reached or planned; the side is the source.</exception>
    /// <exception cref="ImageStalledException">The server did not answer within the stall limit.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    Task<IImageStream> OpenAsync(NbdEndpoint endpoint, ImageStreamOptions options, CancellationToken cancellationToken);
}
