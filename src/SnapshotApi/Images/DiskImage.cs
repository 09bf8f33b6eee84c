namespace SnapshotApi.Images;

/// <summary>
/// One disk, planned as an image file: prepare it where it needs that, then copy it to a store, as often as it takes.
/// The caller disposes it; that closes the NBD connections.
/// </summary>
internal abstract class DiskImage : IAsyncDisposable
{
    public abstract ImageFormat Format { get; }

    /// <summary>Size of the disk in the image.</summary>
    public abstract long VirtualSizeBytes { get; }

    /// <summary>
    /// Length of the file. An estimate where <see cref="NeedsFile"/>, or before <see cref="PrepareAsync"/>.
    /// </summary>
    public abstract long LengthBytes { get; }

    /// <summary>Bytes that are read from the disk: its allocated clusters.</summary>
    public abstract long DataBytes { get; }

    /// <summary>Bytes of work, the unit of progress. More than the data where zeros are work, too.</summary>
    public virtual long WorkBytes => DataBytes;

    /// <summary>What a sample of the disk says about zeros, for the log; null: no sample was taken.</summary>
    public virtual string? SparseNote { get; init; }

    /// <summary>The image is not written in order: it needs a file, and its length is known only afterwards.</summary>
    public virtual bool NeedsFile => false;

    /// <summary>The disk is read once before the length of the image is known.</summary>
    public virtual bool NeedsPreparing => false;

    /// <summary>The disk is not read any more: the whole image lies in a file of the node.</summary>
    public virtual bool IsDetached => false;

    /// <summary>Scans or spools the disk; does nothing for most images.</summary>
    /// <param name="progress">Gets the disk bytes done so far, of <see cref="WorkBytes"/>.</param>
    /// <param name="cancellationToken">Ends it at once, also if the server stalls.</param>
    /// <exception cref="ImageCopyException">Reading or writing failed.</exception>
    /// <exception cref="ImageStalledException">No byte moved for the stall limit.</exception>
    public virtual Task PrepareAsync(IProgress<long> progress, CancellationToken cancellationToken) =>
        Task.CompletedTask;

    /// <summary>Writes the whole file; a further call writes the same file again.</summary>
    /// <param name="target">Empty.</param>
    /// <param name="algorithm">Of the digest: <c>sha256</c> or <c>sha512</c>.</param>
    /// <param name="progress">Gets the bytes done so far, of <see cref="WorkBytes"/>.</param>
    /// <param name="cancellationToken">Ends the copy at once, also if the server stalls.</param>
    /// <returns>The digest of the file.</returns>
    /// <exception cref="ImageCopyException">
    /// Reading or writing failed; it names the side and keeps the first cause.
    /// </exception>
    /// <exception cref="ImageStalledException">
    /// No byte moved for the stall limit; a <see cref="TimeoutException"/>.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public abstract Task<Digest> CopyAsync(
        IImageTarget target, string algorithm, IProgress<long> progress, CancellationToken cancellationToken);

    public abstract ValueTask DisposeAsync();
}

/// <summary>An image that is written in order, and whose length is known before its first byte.</summary>
internal abstract class OrderedImage : DiskImage
{
    /// <summary>Writes exactly <see cref="DiskImage.LengthBytes"/> bytes into a sink.</summary>
    public abstract Task CopyToAsync(IImageSink sink, IProgress<long> progress, CancellationToken cancellationToken);

    public sealed override async Task<Digest> CopyAsync(
        IImageTarget target, string algorithm, IProgress<long> progress, CancellationToken cancellationToken)
    {
        using var digesting = new DigestingSink(target.Sink, algorithm);
        await CopyToAsync(digesting, progress, cancellationToken).ConfigureAwait(false);
        return digesting.Finish();
    }
}

/// <summary>
/// An image whose tables are written last: where a cluster lies is known only after those before it were compressed
/// or left out.
/// </summary>
internal abstract class FileImage : DiskImage
{
    public sealed override bool NeedsFile => true;

    /// <summary>Writes an empty file and gives it its length.</summary>
    public abstract Task WriteAsync(IImageFile file, IProgress<long> progress, CancellationToken cancellationToken);

    public sealed override async Task<Digest> CopyAsync(
        IImageTarget target, string algorithm, IProgress<long> progress, CancellationToken cancellationToken)
    {
        var following = new FollowingDigest(target.File!, algorithm);
        await using var endFollowing = following.ConfigureAwait(false);
        await WriteAsync(following, progress, cancellationToken).ConfigureAwait(false);
        return await following.FinishAsync(cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>
/// An image that goes straight from parallel reads of a disk to a sink. A format adds what comes before, between and
/// after the data.
/// </summary>
/// <remarks>
/// The copy: (1) start the readers; (2) write what the format puts before the data, while the readers run ahead;
/// (3) write each batch in the order of the disk; (4) write what is left to the promised length; (5) stop the readers.
/// The first failure - of a reader, the sink, the watch or the user - ends it for all, and is the one thrown.
/// </remarks>
internal abstract class StreamedImage(DiskSource source, ImageStreamOptions options) : OrderedImage
{
    public override long DataBytes => Source.Map.DataBytes;

    /// <summary>The disk, with the clusters that are read.</summary>
    protected DiskSource Source { get; set; } = source;

    public override Task CopyToAsync(IImageSink sink, IProgress<long> progress, CancellationToken cancellationToken) =>
        DiskReading.RunAsync(
            Source,
            options,
            (ring, watch) => CopyAsync(ring, new WatchedSink(sink, watch), progress, watch),
            cancellationToken);

    public override ValueTask DisposeAsync()
    {
        Source.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Writes what precedes the data.</summary>
    protected abstract ValueTask WriteHeadAsync(IImageSink sink, CancellationToken cancellationToken);

    /// <summary>Writes a batch of data, and for some formats what lies between it and the last.</summary>
    protected abstract ValueTask WriteBatchAsync(ReadBatch batch, IImageSink sink, CancellationToken cancellationToken);

    /// <summary>Writes zeros up to the end of the file.</summary>
    protected abstract ValueTask WriteTailAsync(long lengthBytes, IImageSink sink, CancellationToken cancellationToken);

    /// <summary>How far the copy is, in the unit of <see cref="DiskImage.WorkBytes"/>.</summary>
    protected virtual long ProgressOf(long dataBytes, long fileBytes) => dataBytes;

    private async Task CopyAsync(ReadRing ring, WatchedSink sink, IProgress<long> progress, StallWatch watch)
    {
        // Step 2: what comes before the data.
        long doneBytes = 0;
        CancellationToken token = watch.Token;
        sink.Advanced = length => progress.Report(ProgressOf(doneBytes, length));
        await WriteHeadAsync(sink, token).ConfigureAwait(false);

        // Step 3: the data. The batch is counted before the token is looked at, so that progress never lies.
        while (await ring.NextAsync().ConfigureAwait(false) is { } batch)
        {
            await DiskReading.LimitAsync(options, watch, batch.LengthBytes).ConfigureAwait(false);
            await WriteBatchAsync(batch, sink, token).ConfigureAwait(false);
            doneBytes += batch.LengthBytes;
            ring.Release();
            progress.Report(ProgressOf(doneBytes, sink.LengthBytes));
            token.ThrowIfCancellationRequested();
        }

        // Step 4: the rest of the promised length.
        await WriteTailAsync(LengthBytes - sink.LengthBytes, sink, token).ConfigureAwait(false);
        if (sink.LengthBytes != LengthBytes)
        {
            throw new InvalidOperationException($"wrote {sink.LengthBytes} bytes of an image of {LengthBytes}");
        }
    }
}
