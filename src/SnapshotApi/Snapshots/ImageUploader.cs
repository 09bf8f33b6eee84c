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
    ImageWriters writers, IEnumerable<IImageStore> stores, IOptions<NodeOptions> node, TimeProvider time)
{
    /// <summary>Makes one published image. Until the job has succeeded the journal takes it away again.</summary>
    /// <exception cref="SnapshotException">copy_source_failed, copy_destination_failed, image_rejected, store_failed, no_space, timed_out.</exception>
    public async Task UploadAsync(
        ImageUploadRequest request,
        JobJournal journal,
        ISnapshotObserver observer,
        SnapshotProgress progress,
        CancellationToken cancellationToken)
    {
        string target = request.View.Target;
        IImageStore store = stores.First(s => s.Name == request.Store);
        try
        {
            observer.StepStarted(SnapshotStep.Measuring, target);
            IImageStream image = await writers.For(request.Format)
                .OpenAsync(request.View.Endpoint, StreamOptions(request.Work.Request), cancellationToken).ConfigureAwait(false);
            await using var closeImage = image.ConfigureAwait(false);
            progress.ImageMeasured(target, image.VirtualSizeBytes, image.DataBytes);

            observer.StepStarted(SnapshotStep.Uploading, target);
            var description = new ImageDescription(
                Guid.CreateVersion7(time.GetUtcNow()), request.Work.Request.Name, request.Format, image.LengthBytes, image.VirtualSizeBytes, request.Properties);
            IImageUpload upload = await store.BeginAsync(description, journal, cancellationToken).ConfigureAwait(false);
            await using var closeUpload = upload.ConfigureAwait(false);
            Digest digest = await CopyAsync(image, upload.Sink, store.DigestAlgorithm, target, progress, cancellationToken).ConfigureAwait(false);

            observer.StepStarted(SnapshotStep.Publishing, target);
            StoredImage stored = await upload.PublishAsync(digest, cancellationToken).ConfigureAwait(false);
            observer.ImagePublished(target, stored, description);
        }
        catch (ImageCopyException e)
        {
            throw e.InnerException as SnapshotException ?? new SnapshotException(
                e.Side == CopySide.Source ? SnapshotErrorCode.CopySourceFailed : DestinationCode(e),
                $"disk {target}: {e.Message}",
                e);
        }
        catch (ImageStalledException e)
        {
            throw new SnapshotException(SnapshotErrorCode.TimedOut, $"disk {target}: {e.Message}", e);
        }
        catch (ImageRejectedException e)
        {
            throw new SnapshotException(SnapshotErrorCode.ImageRejected, $"disk {target}: {e.Message}", e);
        }
    }

    private static async Task<Digest> CopyAsync(
        IImageStream image, IImageSink sink, string algorithm, string target, SnapshotProgress progress, CancellationToken cancellationToken)
    {
        using var digesting = new DigestingSink(sink, algorithm);
        await image.CopyToAsync(digesting, new DiskProgress(target, progress), cancellationToken).ConfigureAwait(false);
        return digesting.Finish();
    }

    private static SnapshotErrorCode DestinationCode(ImageCopyException e)
    {
        const int ENOSPC = 28;
        return e.InnerException is IOException { InnerException: System.ComponentModel.Win32Exception { NativeErrorCode: ENOSPC } } or IOException { HResult: ENOSPC }
            ? SnapshotErrorCode.NoSpace
            : SnapshotErrorCode.CopyDestinationFailed;
    }

    private ImageStreamOptions StreamOptions(SnapshotRequest request) => new()
    {
        Bandwidth = request.BandwidthBytesPerSecond is { } limit ? new BandwidthLimit(time, limit) : null,
        StallTimeout = node.Value.StallTimeout,
        TimeProvider = time,
    };

    private sealed class DiskProgress(string target, SnapshotProgress progress) : IProgress<long>
    {
        public void Report(long value) => progress.ImageAdvanced(target, value);
    }
}
