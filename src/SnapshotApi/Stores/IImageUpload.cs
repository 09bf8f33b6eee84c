using SnapshotApi.Host;
using SnapshotApi.Images;

namespace SnapshotApi.Stores;

/// <summary>One image on its way into a store. The caller disposes it; disposing does not delete: the journal does.</summary>
internal interface IImageUpload : IAsyncDisposable
{
    /// <summary>Receives the file, in order.</summary>
    IImageSink Sink { get; }

    /// <summary>The file behind the sink, for an image that does not come in order; it is written instead of the sink. Null: there is none.</summary>
    IImageFile? File => null;

    /// <summary>The space that the image takes from running guests; null: it takes none from them.</summary>
    SpaceWatch? Space => null;

    /// <summary>
    /// Compares length and digest with what the store holds and makes the image visible under its name.
    /// </summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">image_rejected when they differ, store_failed.</exception>
    Task<StoredImage> PublishAsync(Digest digest, CancellationToken cancellationToken);
}
