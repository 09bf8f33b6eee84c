using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Streams one disk view into a store: measured first, so that the length is known; read once, digested on the way, sent once,
/// written nowhere in between.
/// </summary>
internal sealed class ImageUploader(
    ImageWriters writers, IEnumerable<IImageStore> stores, NodeBandwidth bandwidth, IOptions<NodeOptions> node, TimeProvider time)
{
    /// <summary>Finds out how long the image of a disk will be; reads none of its data. The caller disposes what it returns.</summary>
    /// <exception cref="SnapshotException">copy_source_failed, timed_out.</exception>
    public Task<MeasuredImage> MeasureAsync(
        ImageUploadRequest request, ISnapshotObserver observer, SnapshotProgress progress, CancellationToken cancellationToken) =>
        ImageErrors.TranslateAsync(request.View.Target, async () =>
        {
            observer.StepStarted(SnapshotStep.Measuring, request.View.Target);
            IImageStream stream = await writers.For(request.Format)
                .OpenAsync(request.View.Endpoint, StreamOptions(request.Work), cancellationToken).ConfigureAwait(false);
            progress.ImageMeasured(request.View.Target, stream.VirtualSizeBytes, stream.DataBytes);
            return new MeasuredImage(request, stream);
        });

    /// <summary>Makes one published image. Until the job has succeeded the journal takes it away again.</summary>
    /// <exception cref="SnapshotException">copy_source_failed, copy_destination_failed, image_rejected, store_failed, no_space, timed_out.</exception>
    public Task<StoredImage> UploadAsync(
        MeasuredImage image, JobJournal journal, ISnapshotObserver observer, SnapshotProgress progress, CancellationToken cancellationToken) =>
        ImageErrors.TranslateAsync(image.Target, async () =>
        {
            (ImageUploadRequest request, IImageStream stream) = image;
            IImageStore store = stores.First(s => s.Name == request.Store);
            observer.StepStarted(SnapshotStep.Uploading, image.Target);
            var description = new ImageDescription(
                Guid.CreateVersion7(time.GetUtcNow()), request.Work.Request.Name, request.Format, stream.LengthBytes, stream.VirtualSizeBytes, request.Properties);
            IImageUpload upload = await store.BeginAsync(description, journal, cancellationToken).ConfigureAwait(false);
            await using var closeUpload = upload.ConfigureAwait(false);
            Digest digest = await CopyAsync(stream, upload.Sink, store.DigestAlgorithm, image.Target, progress, cancellationToken).ConfigureAwait(false);

            observer.StepStarted(SnapshotStep.Publishing, image.Target);
            StoredImage stored = await upload.PublishAsync(digest, cancellationToken).ConfigureAwait(false);
            observer.ImagePublished(image.Target, stored, description);
            return stored;
        });

    private static async Task<Digest> CopyAsync(
        IImageStream image, IImageSink sink, string algorithm, string target, SnapshotProgress progress, CancellationToken cancellationToken)
    {
        using var digesting = new DigestingSink(sink, algorithm);
        await image.CopyToAsync(digesting, new DiskProgress(target, progress), cancellationToken).ConfigureAwait(false);
        return digesting.Finish();
    }

    private ImageStreamOptions StreamOptions(SnapshotWork work) => new()
    {
        Bandwidth = new BandwidthLimit(time, null, work.Bandwidth, bandwidth.Streams),
        StallTimeout = node.Value.StallTimeout,
        TimeProvider = time,
    };

    private sealed class DiskProgress(string target, SnapshotProgress progress) : IProgress<long>
    {
        public void Report(long value) => progress.ImageAdvanced(target, value);
    }
}
