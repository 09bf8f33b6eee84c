using Microsoft.Extensions.Options;
using SnapshotApi.Captures;
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

/// <summary>One disk view to be turned into a published image.</summary>
/// <param name="Work">The run of the job.</param>
/// <param name="Store">Name of the store.</param>
/// <param name="View">The disk.</param>
/// <param name="Spec">What kind of file the image is.</param>
/// <param name="Properties">Properties of the image.</param>
internal sealed record ImageUploadRequest(
    SnapshotWork Work, string Store, DiskView View, ImageSpec Spec, IReadOnlyDictionary<string, string> Properties);

/// <summary>A disk view whose image is planned; none of it is sent. The caller disposes it.</summary>
/// <param name="Request">What is to become of it.</param>
/// <param name="Image">The image; disposed with this.</param>
internal sealed record MeasuredImage(ImageUploadRequest Request, IDiskImage Image) : IAsyncDisposable
{
    /// <summary>The disk's name.</summary>
    public string Target => Request.View.Target;

    public ValueTask DisposeAsync() => Image.DisposeAsync();
}

/// <summary>An image that its store can take as it is. Disposing takes away what was made for that, not the measured image.</summary>
/// <param name="Image">A stream, or an image that is written into the store's own file.</param>
/// <param name="Spooled">The file that the stream is read from, if there is one.</param>
internal sealed record PreparedImage(IDiskImage Image, SpooledImage? Spooled = null) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => Spooled?.DisposeAsync() ?? ValueTask.CompletedTask;
}

/// <summary>
/// Uploads again what a store has lost for a reason that may pass: a connection was cut, a server was restarted. The capture is still open,
/// so the second image is of the same instant; a stream can be copied only once, so the disk is measured anew.
/// </summary>
internal sealed class PersistentUploader(ImageUploader uploader, TimeProvider time)
{
    /// <summary>
    /// What is waited before each further try. A cut connection is back at once; a server that restarts needs some seconds. Longer than
    /// these the guest should not bear an open capture, whose scratch space grows with all that it writes.
    /// </summary>
    private static readonly TimeSpan[] Delays = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(15)];

    /// <summary>Makes one published image. Until the job has succeeded the journal takes it away again.</summary>
    /// <param name="image">The first measurement; stays the caller's, but its connections are closed when it failed.</param>
    /// <param name="journal">The run's journal.</param>
    /// <param name="observer">Warned of each try that failed, with its cause.</param>
    /// <param name="progress">Begins anew with each try.</param>
    /// <param name="cancellationToken">Gives it up; cancelled also when the capture is lost.</param>
    /// <exception cref="SnapshotException">What the last try failed with.</exception>
    public async Task<StoredImage> UploadAsync(
        MeasuredImage image, JobJournal journal, ISnapshotObserver observer, SnapshotProgress progress, CancellationToken cancellationToken)
    {
        MeasuredImage current = image;
        for (int failures = 0; ; failures++)
        {
            long known = journal.Pending.Count == 0 ? -1 : journal.Pending[^1].Sequence;
            try
            {
                return await uploader.UploadAsync(current, journal, observer, progress, cancellationToken).ConfigureAwait(false);
            }
            catch (SnapshotException e) when (e.IsTransient && failures < Delays.Length && !cancellationToken.IsCancellationRequested)
            {
                TimeSpan delay = Delays[failures];
                observer.Warn($"disk {image.Target}, upload {failures + 1}: {e.Message}; the same instant is sent again in {delay.TotalSeconds:0} s");
            }
            finally
            {
                await current.DisposeAsync().ConfigureAwait(false);
            }

            await DiscardAsync(journal, known, cancellationToken).ConfigureAwait(false);
            await Task.Delay(Delays[failures], time, cancellationToken).ConfigureAwait(false);
            current = await uploader.MeasureAsync(image.Request, observer, progress, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Takes away what the failed try has made. While the store is away it can't be: then it stays to be undone, whatever becomes of the job.</summary>
    private static async Task DiscardAsync(JobJournal journal, long known, CancellationToken cancellationToken)
    {
        foreach (JournalEntry entry in journal.Pending.Where(e => e.Sequence > known && e.Action is DeleteImage))
        {
            journal.Unkeep(entry);
            try
            {
                await journal.UndoAsync(entry, cancellationToken).ConfigureAwait(false);
            }
            catch (SnapshotException)
            {
                // Tried again at the end of the run, and after it.
            }
        }
    }
}
