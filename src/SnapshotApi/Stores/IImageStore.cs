using SnapshotApi.Host;
using SnapshotApi.Images;
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

    /// <summary>Checks, before a guest is touched, that the store is reachable and takes our images.</summary>
    /// <exception cref="SnapshotException">no_space, store_failed, timed_out.</exception>
    Task PrepareAsync(CancellationToken cancellationToken);

    /// <summary>The record of the image that a server was made from; null when the store has none of that id.</summary>
    /// <exception cref="SnapshotException">store_failed, timed_out.</exception>
    Task<BaseImage?> FindBaseAsync(Guid imageId, CancellationToken cancellationToken);

    /// <summary>
    /// Its uploads have a <see cref="IImageTarget.File"/> of this host: an image need not come in order, nor its length
    /// be known before.
    /// </summary>
    bool TakesFiles { get; }

    /// <summary>
    /// Opens an upload. What must be undone when it never gets published is journalled before it is made.
    /// </summary>
    /// <exception cref="SnapshotException">no_space, quota_exceeded, store_failed, timed_out.</exception>
    Task<IImageUpload> BeginAsync(ImageDescription image, JobJournal journal, CancellationToken cancellationToken);

    /// <summary>Deletes an image, published or not, with its record; returns false when there is none.</summary>
    Task<bool> DeleteAsync(Guid imageId, CancellationToken cancellationToken);
}

/// <summary>Deletes images that were never published; each store journals its own before it makes one.</summary>
internal sealed class StoreUndo(IEnumerable<IImageStore> stores) : IUndo<DeleteImage>
{
    public async Task UndoAsync(DeleteImage action, CancellationToken cancellationToken)
    {
        IImageStore store = stores.FirstOrDefault(s => s.Name == action.Store)
            ?? throw new SnapshotException(
                SnapshotErrorCode.StoreFailed, $"store {action.Store} is not configured any more");
        await store.DeleteAsync(action.ImageId, cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>One image on its way into a store. The caller disposes it; the journal deletes it.</summary>
internal interface IImageUpload : IImageTarget, IAsyncDisposable
{
    /// <summary>The space that the image takes from running guests; null: it takes none from them.</summary>
    SpaceWatch? Space { get; }

    /// <summary>
    /// Compares length and digest with what the store holds and makes the image visible under its name.
    /// </summary>
    /// <exception cref="SnapshotException">image_rejected when they differ, store_failed.</exception>
    Task<StoredImage> PublishAsync(Digest digest, CancellationToken cancellationToken);
}

/// <summary>What a store is told of an image before its first byte.</summary>
/// <param name="Id">Id that we choose; the image's id in the API.</param>
/// <param name="Name">Name given by the user; never a path.</param>
/// <param name="Format">Format of the file.</param>
/// <param name="LengthBytes">Exact length of the file; of one that does not come in order, what is expected.</param>
/// <param name="VirtualSizeBytes">Size of the disk in it.</param>
/// <param name="Properties">Nova's properties, the user's metadata and ours, flat.</param>
internal sealed record ImageDescription(
    Guid Id,
    string Name,
    ImageFormat Format,
    long LengthBytes,
    long VirtualSizeBytes,
    IReadOnlyDictionary<string, string> Properties)
{
    /// <summary>The store has a record of that id, which waits for the file; its maker deletes it.</summary>
    public bool IsReserved { get; init; }

    /// <summary>Percent of the work on the disk that was done before the first byte is sent.</summary>
    public int PercentBefore { get; init; }
}

/// <summary>A published image, as its store holds it.</summary>
/// <param name="Id">Id of the image.</param>
/// <param name="Store">Name of the store: <c>directory</c>.</param>
/// <param name="Location">Where it is within its store; a file's name, never a host path.</param>
/// <param name="Format">Format of the file.</param>
/// <param name="SizeBytes">Length of the file.</param>
/// <param name="Digest">Digest of the file's bytes.</param>
internal sealed record StoredImage(
    Guid Id, string Store, string Location, ImageFormat Format, long SizeBytes, Digest Digest);

/// <summary>The record of the image that a server was made from, as a store has it.</summary>
/// <param name="ContainerFormat">For example <c>bare</c> or <c>ami</c>; null when it has none.</param>
/// <param name="Members">All of its members that are text: attributes of the store, and properties.</param>
internal sealed record BaseImage(string? ContainerFormat, IReadOnlyDictionary<string, string> Members);

/// <summary>Names of the stores that this version knows.</summary>
internal static class StoreNames
{
    /// <summary>Images as files in a directory of the node.</summary>
    public const string Directory = "directory";

    /// <summary>Images in OpenStack's image service.</summary>
    public const string Glance = "glance";

    /// <summary>All of them.</summary>
    public static readonly IReadOnlyList<string> All = [Directory, Glance];
}
