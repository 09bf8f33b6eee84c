namespace SnapshotApi.Images;

/// <summary>
/// What all image streams share: the way of a disk's data from parallel reads to a sink in order. A format adds what comes
/// before, between and after the data.
/// </summary>
/// <remarks>
/// The copy: (1) start the readers; (2) write what the format puts before the data, while the readers run ahead; (3) write each batch
/// in the order of the disk; (4) write what is left to the promised length; (5) stop the readers. Whoever fails first - a reader,
/// the sink, the watch, the user - ends it for all by <see cref="ReadRing.Fail"/>, and that failure is the one thrown.
/// </remarks>
internal abstract class NbdImageStream(DiskSource source, ImageStreamOptions options) : IImageStream
{
    private bool _isCopied;
    private long _doneBytes;

    public abstract ImageFormat Format { get; }

    public abstract long VirtualSizeBytes { get; }

    public abstract long LengthBytes { get; }

    public long DataBytes => source.Map.DataBytes;

    public virtual long WorkBytes => DataBytes;

    public string? Finding { get; init; }

    public async Task CopyToAsync(IImageSink sink, IProgress<long> progress, CancellationToken cancellationToken)
    {
        if (_isCopied)
        {
            throw new InvalidOperationException("the stream was copied before");
        }

        _isCopied = true;
        await DiskReading.RunAsync(
            source, options, (ring, watch) => CopyAsync(ring, new GuardedSink(sink, watch), progress, watch), cancellationToken).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync()
    {
        source.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Writes what precedes the data.</summary>
    protected abstract ValueTask WriteHeadAsync(IImageSink sink, CancellationToken cancellationToken);

    /// <summary>Writes a batch of data, and for some formats what lies between it and the last.</summary>
    protected abstract ValueTask WriteBatchAsync(ReadBatch batch, IImageSink sink, CancellationToken cancellationToken);

    /// <summary>Writes zeros up to the end of the file.</summary>
    protected abstract ValueTask WriteTailAsync(long lengthBytes, IImageSink sink, CancellationToken cancellationToken);

    /// <summary>What to tell of how far the copy is, in the unit of <see cref="WorkBytes"/>.</summary>
    /// <param name="dataBytes">Data done.</param>
    /// <param name="fileBytes">How far the file is written.</param>
    protected virtual long ProgressOf(long dataBytes, long fileBytes) => dataBytes;

    private async Task CopyAsync(ReadRing ring, GuardedSink sink, IProgress<long> progress, StallWatch watch)
    {
        // Step 2: what comes before the data.
        CancellationToken token = watch.Token;
        sink.Advanced = length => progress.Report(ProgressOf(_doneBytes, length));
        await WriteHeadAsync(sink, token).ConfigureAwait(false);

        // Step 3: the data. Counted first, then the token is looked at, so that progress never lies.
        while (await ring.NextAsync().ConfigureAwait(false) is { } batch)
        {
            await DiskReading.LimitAsync(options, watch, batch.LengthBytes).ConfigureAwait(false);
            await WriteBatchAsync(batch, sink, token).ConfigureAwait(false);
            _doneBytes += batch.LengthBytes;
            ring.Release();
            progress.Report(ProgressOf(_doneBytes, sink.LengthBytes));
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
