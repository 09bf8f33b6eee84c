using SnapshotApi.Images;

namespace SnapshotApi.Stores.Glance;

/// <summary>One image on its way into a <see cref="GlanceStore"/>.</summary>
internal sealed class GlanceUpload(GlanceStore store, ImageDescription image, GlanceTransfer transfer, GlanceProgress? progress = null) : IImageUpload
{
    public IImageSink Sink => progress ?? (IImageSink)transfer;

    public async Task<StoredImage> PublishAsync(Digest digest, CancellationToken cancellationToken)
    {
        await store.FinishAsync(image, transfer, cancellationToken).ConfigureAwait(false);
        return await store.VerifyAsync(image, digest, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        if (progress is not null)
        {
            await progress.DisposeAsync().ConfigureAwait(false);
        }

        await transfer.DisposeAsync().ConfigureAwait(false);
    }
}
