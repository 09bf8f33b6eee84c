using SnapshotApi.Host;
using SnapshotApi.Images;

namespace SnapshotApi.Stores;

/// <summary>One image on its way into a <see cref="DirectoryStore"/>.</summary>
internal sealed class DirectoryUpload(DirectoryStore store, ImageDescription image, string partialPath, FileSink sink, SpaceWatch? space) : IImageUpload
{
    public IImageSink Sink => sink;

    public IImageFile File => sink;

    public SpaceWatch? Space => space;

    public async Task<StoredImage> PublishAsync(Digest digest, CancellationToken cancellationToken)
    {
        await sink.CompleteAsync(cancellationToken).ConfigureAwait(false);
        return await store.PublishAsync(image with { LengthBytes = sink.LengthBytes }, partialPath, sink.WrittenBytes, digest, cancellationToken).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync()
    {
        sink.Dispose();
        return ValueTask.CompletedTask;
    }
}
