using SnapshotApi.Host;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Stores;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>The directory store as one that takes images only in order, their length first, as a store behind HTTP does.</summary>
internal sealed class OrderedStore(DirectoryStore inner) : IImageStore
{
    public string Name => inner.Name;

    public string DigestAlgorithm => inner.DigestAlgorithm;

    public bool IsConfigured => inner.IsConfigured;

    public bool TakesFiles => false;

    public IReadOnlyList<string> Problems(string name, IReadOnlyDictionary<string, string> properties) => inner.Problems(name, properties);

    public Task PrepareAsync(CancellationToken cancellationToken) => inner.PrepareAsync(cancellationToken);

    public Task<BaseImage?> FindBaseAsync(Guid imageId, CancellationToken cancellationToken) => inner.FindBaseAsync(imageId, cancellationToken);

    public async Task<IImageUpload> BeginAsync(ImageDescription image, JobJournal journal, CancellationToken cancellationToken) =>
        new OrderedUpload(await inner.BeginAsync(image, journal, cancellationToken));

    public Task<bool> DeleteAsync(Guid imageId, CancellationToken cancellationToken) => inner.DeleteAsync(imageId, cancellationToken);

    private sealed class OrderedUpload(IImageUpload inner) : IImageUpload
    {
        public IImageSink Sink => inner.Sink;

        public IImageFile? File => null;

        public SpaceWatch? Space => inner.Space;

        public Task<StoredImage> PublishAsync(Digest digest, CancellationToken cancellationToken) => inner.PublishAsync(digest, cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
