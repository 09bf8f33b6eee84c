using SnapshotApi.Journal;

namespace SnapshotApi.Stores;

/// <summary>Where images go. Takes a stream of known length; an image is visible only after it was published.</summary>
internal interface IImageStore
{
    /// <summary>Name in requests and records, for example <c>directory</c>.</summary>
    string Name { get; }

    /// <summary>Algorithm of the digest that the store itself reports: <c>sha256</c> or <c>sha512</c>.</summary>
    string DigestAlgorithm { get; }

    /// <summary>
    /// An upload has an <see cref="IImageUpload.File"/> of this host: an image need not come in order, nor its length be known before.
    /// </summary>
    bool TakesFiles => false;

    /// <summary>
    /// Opens an upload. What must be undone when it never gets published is journalled before it is made.
    /// </summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">no_space, store_failed.</exception>
    Task<IImageUpload> BeginAsync(ImageDescription image, JobJournal journal, CancellationToken cancellationToken);

    /// <summary>Deletes an image, published or not, and everything recorded with it; returns false when there is none.</summary>
    Task<bool> DeleteAsync(Guid imageId, CancellationToken cancellationToken);
}
