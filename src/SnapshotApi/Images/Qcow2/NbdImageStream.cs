using System.Buffers;

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

/// <summary>A disk as qcow2: <see cref="Qcow2Layout"/>'s metadata, then the clusters that hold data.</summary>
internal sealed class Qcow2Stream : NbdImageStream
{
    /// <summary>The L2 tables of a large disk are many; this many clusters of metadata are written at a time.</summary>
    private const int MetadataClustersPerWrite = 8;

    private readonly Qcow2Layout _layout;

    public Qcow2Stream(DiskSource source, ImageStreamOptions options)
        : base(source, options) => _layout = new Qcow2Layout(source.Map);

    public override ImageFormat Format => ImageFormat.Qcow2;

    public override long VirtualSizeBytes => _layout.VirtualSizeBytes;

    public override long LengthBytes => _layout.LengthBytes;

    protected override async ValueTask WriteHeadAsync(IImageSink sink, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(MetadataClustersPerWrite * ClusterMap.ClusterBytes);
        try
        {
            for (long cluster = 0; cluster < _layout.MetadataClusters;)
            {
                int filled = 0;
                for (; filled < MetadataClustersPerWrite && cluster < _layout.MetadataClusters; filled++)
                {
                    _layout.WriteMetadata(cluster++, buffer.AsSpan(filled * ClusterMap.ClusterBytes, ClusterMap.ClusterBytes));
                }

                await sink.WriteAsync(buffer.AsMemory(0, filled * ClusterMap.ClusterBytes), cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    protected override ValueTask WriteBatchAsync(ReadBatch batch, IImageSink sink, CancellationToken cancellationToken) =>
        sink.WriteAsync(batch.Buffer.Memory[..batch.LengthBytes], cancellationToken);

    /// <summary>Only the disk's last cluster may be a partial one.</summary>
    protected override ValueTask WriteTailAsync(long lengthBytes, IImageSink sink, CancellationToken cancellationToken) =>
        lengthBytes > 0 ? sink.WriteZerosAsync(lengthBytes, cancellationToken) : ValueTask.CompletedTask;
}

/// <summary>A disk that becomes an uncompressed qcow2 stream without its zeros, once it was read through.</summary>
internal sealed class UnscannedQcow2Image(DiskSource source, ClusterSample sample, ImageStreamOptions options) : IUnscannedImage
{
    public ImageFormat Format => ImageFormat.Qcow2;

    public long VirtualSizeBytes { get; } = new Qcow2Layout(source.Map).VirtualSizeBytes;

    public long LengthBytes { get; } = new Qcow2Layout(source.Map).LengthBytes;

    public long DataBytes => source.Map.DataBytes;

    public string? Finding => sample.Describe(leftOut: true);

    public async Task<IImageStream> ScanAsync(IProgress<long> progress, CancellationToken cancellationToken)
    {
        var map = new ClusterMap(source.Map.SizeBytes);
        await DiskReading.VisitAsync(source, options, batch => AddData(map, batch), progress, cancellationToken).ConfigureAwait(false);
        return new Qcow2Stream(source.WithMap(map), options) { Finding = Finding };
    }

    public ValueTask DisposeAsync()
    {
        source.Dispose();
        return ValueTask.CompletedTask;
    }

    private static void AddData(ClusterMap map, ReadBatch batch)
    {
        foreach (DiskRead read in batch.Reads)
        {
            for (int offset = 0; offset < read.LengthBytes; offset += ClusterMap.ClusterBytes)
            {
                int length = Math.Min(ClusterMap.ClusterBytes, read.LengthBytes - offset);
                if (!ZeroTest.IsZero(batch.Buffer.Memory.Span.Slice(read.BufferOffsetBytes + offset, length)))
                {
                    map.AddData(read.OffsetBytes + offset, length);
                }
            }
        }
    }
}
