using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Streams one disk view into a store: measured first, so that the length is known; read once, digested on the way, sent once,
/// written nowhere in between. What can't be sent in order is written into the store's own file, or where a store has none, spooled.
/// </summary>
internal sealed class ImageUploader(
    ImageOpener opener, Spool spool, IEnumerable<IImageStore> stores, NodeBandwidth bandwidth, IOptions<NodeOptions> node, TimeProvider time)
{
    /// <summary>Finds out how long the image of a disk will be; reads no more of its data than a sample. The caller disposes what it returns.</summary>
    /// <exception cref="SnapshotException">copy_source_failed, timed_out.</exception>
    public Task<MeasuredImage> MeasureAsync(
        ImageUploadRequest request, ISnapshotObserver observer, SnapshotProgress progress, CancellationToken cancellationToken) =>
        ImageErrors.TranslateAsync(request.View.Target, async () =>
        {
            observer.StepStarted(SnapshotStep.Measuring, request.View.Target);
            bool takesFiles = StoreOf(request).TakesFiles;
            IDiskImage image = await opener.OpenAsync(
                request.View.Endpoint, request.Spec, takesFiles, StreamOptions(request.Work), cancellationToken).ConfigureAwait(false);
            bool isPrepared = image is not IImageStream && !takesFiles;
            progress.ImageMeasured(request.View.Target, image.VirtualSizeBytes, image.DataBytes, image.WorkBytes, isPrepared);
            return new MeasuredImage(request, image);
        });

    /// <summary>Makes one published image. Until the job has succeeded the journal takes it away again.</summary>
    /// <exception cref="SnapshotException">copy_source_failed, copy_destination_failed, image_rejected, store_failed, no_space, timed_out.</exception>
    public Task<StoredImage> UploadAsync(
        MeasuredImage measured, JobJournal journal, ISnapshotObserver observer, SnapshotProgress progress, CancellationToken cancellationToken) =>
        ImageErrors.TranslateAsync(measured.Target, async () =>
        {
            ImageUploadRequest request = measured.Request;
            IImageStore store = StoreOf(request);
            progress.BeginImage(measured.Target);
            PreparedImage prepared = await PrepareAsync(measured, store, journal, observer, progress, cancellationToken).ConfigureAwait(false);
            await using var closePrepared = prepared.ConfigureAwait(false);
            IDiskImage image = prepared.Image;
            observer.StepStarted(SnapshotStep.Uploading, Detail(measured));
            var description = new ImageDescription(
                request.Work.Request.Reserved?.Id ?? Guid.CreateVersion7(time.GetUtcNow()),
                request.Work.Request.Name,
                image.Format,
                image.LengthBytes,
                image.VirtualSizeBytes,
                request.Properties)
            {
                IsReserved = request.Work.Request.Reserved is not null,
                PercentBefore = progress.BeginImage(measured.Target),
            };
            IImageUpload upload = await store.BeginAsync(description, journal, cancellationToken).ConfigureAwait(false);
            await using var closeUpload = upload.ConfigureAwait(false);
            Digest digest = await CopyWatchedAsync(image, upload, store.DigestAlgorithm, new DiskProgressOf(measured.Target, progress), journal, cancellationToken).ConfigureAwait(false);

            observer.StepStarted(SnapshotStep.Publishing, measured.Target);
            StoredImage stored = await upload.PublishAsync(digest, cancellationToken).ConfigureAwait(false);
            observer.ImagePublished(measured.Target, stored, description);
            return stored;
        });

    private IImageStore StoreOf(ImageUploadRequest request) => stores.First(s => s.Name == request.Store);

    private static string Detail(MeasuredImage measured) =>
        measured.Image.Finding is { } finding ? $"{measured.Target}: {finding}" : measured.Target;

    private async Task<PreparedImage> PrepareAsync(
        MeasuredImage measured, IImageStore store, JobJournal journal, ISnapshotObserver observer, SnapshotProgress progress, CancellationToken cancellationToken)
    {
        IDiskImage image = measured.Image;
        if (image is IImageStream || (image is IFileImage && store.TakesFiles))
        {
            return new PreparedImage(image);
        }

        observer.StepStarted(SnapshotStep.Preparing, Detail(measured));
        ImageUploadRequest request = measured.Request;
        var told = new DiskProgressOf(measured.Target, progress);
        PreparedImage prepared;
        if (image is IUnscannedImage unscanned)
        {
            prepared = new PreparedImage(await unscanned.ScanAsync(told, cancellationToken).ConfigureAwait(false));
        }
        else
        {
            SpooledImage spooled = await spool.WriteAsync(
                (IFileImage)image, request.Work.JobId, measured.Target, StreamOptions(request.Work), journal, told, cancellationToken).ConfigureAwait(false);
            prepared = new PreparedImage(spooled.Stream, spooled);
        }

        progress.ImagePrepared(measured.Target, prepared.Image.WorkBytes);
        return prepared;
    }

    // Space of running guests: the copy ends before it would end their backups.
    private Task<Digest> CopyWatchedAsync(
        IDiskImage image, IImageUpload upload, string algorithm, IProgress<long> progress, JobJournal journal, CancellationToken cancellationToken) =>
        upload.Space is { } space
            ? space.RunAsync("the image", token => CopyAsync(image, upload, algorithm, progress, journal, token), time, cancellationToken)
            : CopyAsync(image, upload, algorithm, progress, journal, cancellationToken);

    private static async Task<Digest> CopyAsync(
        IDiskImage image, IImageUpload upload, string algorithm, IProgress<long> progress, JobJournal journal, CancellationToken cancellationToken)
    {
        if (image is IFileImage file)
        {
            // A tool that writes the file itself must be gone before the file is deleted.
            JournalEntry entry = journal.Add(new EndProcess(upload.File!.Path));
            var following = new FollowingDigest(upload.File, algorithm);
            await using var endFollowing = following.ConfigureAwait(false);
            await file.WriteAsync(following, progress, cancellationToken).ConfigureAwait(false);
            journal.Settle(entry);
            return await following.FinishAsync(cancellationToken).ConfigureAwait(false);
        }

        using var digesting = new DigestingSink(upload.Sink, algorithm);
        await ((IImageStream)image).CopyToAsync(digesting, progress, cancellationToken).ConfigureAwait(false);
        return digesting.Finish();
    }

    private ImageStreamOptions StreamOptions(SnapshotWork work) => new()
    {
        Bandwidth = new BandwidthLimit(time, null, work.Bandwidth, bandwidth.Streams),
        ToolBytesPerSecond = () => new[] { work.Bandwidth.BytesPerSecond, bandwidth.MirrorShare }.Min(),
        StallTimeout = node.Value.StallTimeout,
        TimeProvider = time,
    };

    private sealed class DiskProgressOf(string target, SnapshotProgress progress) : IProgress<long>
    {
        public void Report(long value) => progress.ImageAdvanced(target, value);
    }
}
