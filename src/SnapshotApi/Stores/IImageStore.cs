using SnapshotApi.Journal;

namespace SnapshotApi.Stores;

/// <summary>Where images go. Takes a stream of known length; an image is visible only after it was published.</summary>
internal interface IImageStore
{
    /// <summary>Name in requests and records, for example <c>directory</c>.</summary>
    string Name { get; }

    /// <summary>Algorithm of the digest that the store itself reports: <c>sha256</c> or <c>sha512</c>.</summary>
    string DigestAlgorithm { get; }

    /// <summary>This process is configured to use it.</summary>
    bool IsConfigured { get; }

    /// <summary>What the store would refuse of an image, a fact each; empty when nothing. Asks nobody.</summary>
    IReadOnlyList<string> Problems(string name, IReadOnlyDictionary<string, string> properties);

    /// <summary>Finds out, before anything is done to a guest, whether the store can be reached and would take images of ours.</summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">no_space, store_failed, timed_out.</exception>
    Task PrepareAsync(CancellationToken cancellationToken);

    /// <summary>The record of the image that a server was made from; null when the store has none of that id.</summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">store_failed, timed_out.</exception>
    Task<BaseImage?> FindBaseAsync(Guid imageId, CancellationToken cancellationToken);

    /// <summary>
    /// An upload has an <see cref="IImageUpload.File"/> of this host: an image need not come in order, nor its length be known before.
    /// </summary>
    bool TakesFiles => false;

    /// <summary>
    /// Opens an upload. What must be undone when it never gets published is journalled before it is made.
    /// </summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">no_space, quota_exceeded, store_failed, timed_out.</exception>
    Task<IImageUpload> BeginAsync(ImageDescription image, JobJournal journal, CancellationToken cancellationToken);

    /// <summary>Deletes an image, published or not, and everything recorded with it; returns false when there is none.</summary>
    Task<bool> DeleteAsync(Guid imageId, CancellationToken cancellationToken);
}
