using Polly;
using SnapshotApi.Captures;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Streams one disk view into a store: measured first, so that the length is known; read once, digested on the way,
/// sent once, written nowhere in between. An image that can't be sent in order is written into the store's own file,
/// or, where a store has none, into the node's spool.
/// </summary>
internal sealed class ImageUploader(
    ImageOpener opener,
    Spool spool,
    IEnumerable<IImageStore> stores,
    NodeBandwidth bandwidth,
    IOptions<NodeOptions> node,
    TimeProvider time)
{
    /// <summary>
    /// Finds out how long the image of a disk will be; reads no more of its data than a sample. The caller disposes
    /// what it returns.
    /// </summary>
    /// <exception cref="SnapshotException">copy_source_failed, timed_out.</exception>
    public Task<PlannedImage> MeasureAsync(
        SnapshotRun run,
        string storeName,
        DiskView view,
        ImageSpec spec,
        IReadOnlyDictionary<string, string> properties,
        CancellationToken cancellationToken) =>
        ImageErrors.TranslateAsync(view.Target, async () =>
        {
            run.Observer.StepStarted(SnapshotStep.Measuring, view.Target);
            IImageStore store = stores.First(s => s.Name == storeName);
            ImageStreamOptions options = StreamOptions(run.Work);
            Func<FileImage, DiskImage>? spooled = store.TakesFiles
                ? null
                : file => spool.Take(file, run.Work.JobId, view.Target, options, run.Journal);
            DiskImage image = await opener.OpenAsync(view.Endpoint, spec, spooled, options, cancellationToken)
                .ConfigureAwait(false);
            run.Progress.ImageMeasured(
                view.Target, image.VirtualSizeBytes, image.DataBytes, image.WorkBytes, image.NeedsPreparing);
            return new PlannedImage(view.Target, image, store, properties);
        });

    /// <summary>Scans or spools the disk, where its image needs that.</summary>
    /// <exception cref="SnapshotException">
    /// copy_source_failed, copy_destination_failed, no_space, timed_out.
    /// </exception>
    public static async Task PrepareAsync(SnapshotRun run, PlannedImage planned, CancellationToken cancellationToken)
    {
        run.Progress.BeginImage(planned.Target);
        if (!planned.Image.NeedsPreparing)
        {
            return;
        }

        run.Observer.StepStarted(SnapshotStep.Preparing, planned.Description);
        await ImageErrors.TranslateAsync(planned.Target, async () =>
        {
            await planned.Image.PrepareAsync(new ProgressOf(planned, run), cancellationToken).ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);
        run.Progress.ImagePrepared(planned.Target, planned.Image.WorkBytes);
    }

    /// <summary>
    /// Makes one published image. Until the job has succeeded the journal takes it away again. What a store loses for a
    /// reason that may pass is sent again: the views, or the spooled file, still hold the same instant.
    /// </summary>
    /// <exception cref="SnapshotException">
    /// copy_source_failed, copy_destination_failed, image_rejected, store_failed, no_space, timed_out: of the last try.
    /// </exception>
    public async Task UploadAsync(SnapshotRun run, PlannedImage planned, CancellationToken cancellationToken)
    {
        long known = -1;
        ResiliencePipeline retry = RetryPolicies.Upload(time, async failed =>
        {
            run.Observer.Warn(
                $"disk {planned.Target}, upload {failed.AttemptNumber + 1}: {failed.Outcome.Exception!.Message}; "
                + $"the same instant is sent again in {failed.RetryDelay.TotalSeconds:0} s");
            await DiscardAsync(run.Journal, known, cancellationToken).ConfigureAwait(false);
            run.Progress.ImageRestarted(planned.Target);
        });
        await retry.ExecuteAsync(
            async token =>
            {
                known = LastEntryOf(run.Journal);
                await ImageErrors.TranslateAsync(planned.Target, () => UploadOnceAsync(run, planned, token))
                    .ConfigureAwait(false);
            },
            cancellationToken).ConfigureAwait(false);
    }

    private async Task<StoredImage> UploadOnceAsync(
        SnapshotRun run, PlannedImage planned, CancellationToken cancellationToken)
    {
        SnapshotRequest request = run.Work.Request;
        DiskImage image = planned.Image;
        run.Observer.StepStarted(SnapshotStep.Uploading, planned.Description);
        var description = new ImageDescription(
            request.Reserved?.Id ?? Guid.CreateVersion7(time.GetUtcNow()),
            request.Name,
            image.Format,
            image.LengthBytes,
            image.VirtualSizeBytes,
            planned.Properties)
        {
            IsReserved = request.Reserved is not null,
            PercentBefore = run.Progress.BeginImage(planned.Target),
        };
        IImageUpload upload = await planned.Store.BeginAsync(description, run.Journal, cancellationToken)
            .ConfigureAwait(false);
        await using var closeUpload = upload.ConfigureAwait(false);
        Digest digest = await CopyAsync(run, planned, upload, cancellationToken).ConfigureAwait(false);

        run.Observer.StepStarted(SnapshotStep.Publishing, planned.Target);
        StoredImage stored = await upload.PublishAsync(digest, cancellationToken).ConfigureAwait(false);
        run.Observer.ImagePublished(planned.Target, stored, description);
        return stored;
    }

    private async Task<Digest> CopyAsync(
        SnapshotRun run, PlannedImage planned, IImageUpload upload, CancellationToken cancellationToken)
    {
        // A tool that writes the file itself must be gone before the file is deleted.
        JournalEntry? tool = planned.Image.NeedsFile ? run.Journal.Add(new EndProcess(upload.File!.Path)) : null;

        // Space of running guests: the copy ends before it would end their backups.
        Digest digest = upload.Space is { } space
            ? await space.RunAsync("the image", CopyAsync, time, cancellationToken).ConfigureAwait(false)
            : await CopyAsync(cancellationToken).ConfigureAwait(false);
        if (tool is not null)
        {
            run.Journal.Settle(tool);
        }

        return digest;

        Task<Digest> CopyAsync(CancellationToken token) =>
            planned.Image.CopyAsync(upload, planned.Store.DigestAlgorithm, new ProgressOf(planned, run), token);
    }

    /// <summary>
    /// Takes away what a failed try has made. While the store is away it can't be taken away: then it stays to be
    /// undone, whatever becomes of the job.
    /// </summary>
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

    private static long LastEntryOf(JobJournal journal) => journal.Pending is [.., var last] ? last.Sequence : -1;

    private ImageStreamOptions StreamOptions(SnapshotWork work) => new()
    {
        Bandwidth = new BandwidthLimit(time, null, work.Bandwidth, bandwidth.Streams),
        ToolBytesPerSecond = () => new[] { work.Bandwidth.BytesPerSecond, bandwidth.MirrorShare }.Min(),
        StallTimeout = node.Value.StallTimeout,
        TimeProvider = time,
    };

    private sealed class ProgressOf(PlannedImage planned, SnapshotRun run) : IProgress<long>
    {
        public void Report(long value) => run.Progress.ImageAdvanced(planned.Target, value);
    }
}

/// <summary>A disk view whose image is planned for a store. The caller disposes it.</summary>
/// <param name="Target">The disk's name.</param>
/// <param name="Image">The image; disposed with this.</param>
/// <param name="Store">Where it goes.</param>
/// <param name="Properties">Properties of the image.</param>
internal sealed record PlannedImage(
    string Target,
    DiskImage Image,
    IImageStore Store,
    IReadOnlyDictionary<string,
    string> Properties) : IAsyncDisposable
{
    /// <summary>The disk, and what a sample says of its zeros, for the event log.</summary>
    public string Description => Image.SparseNote is { } note ? $"{Target}: {note}" : Target;

    public ValueTask DisposeAsync() => Image.DisposeAsync();
}
