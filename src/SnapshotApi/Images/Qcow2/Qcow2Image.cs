using System.Buffers;

namespace SnapshotApi.Images;

/// <summary>A disk as qcow2: <see cref="Qcow2Layout"/>'s metadata, then the clusters that hold data.</summary>
/// <param name="source">The disk; disposed with this.</param>
/// <param name="options">How it is read.</param>
/// <param name="leavesZerosOut">The disk is scanned first; clusters that are allocated, but zero, are left out.</param>
internal sealed class Qcow2Image(DiskSource source, ImageStreamOptions options, bool leavesZerosOut = false)
    : StreamedImage(source, options)
{
    /// <summary>The L2 tables of a large disk are many; this many clusters of metadata are written at a time.</summary>
    private const int MetadataClustersPerWrite = 8;

    private readonly ImageStreamOptions _options = options;
    private Qcow2Layout _layout = new(source.Map);

    public override ImageFormat Format => ImageFormat.Qcow2;

    public override long VirtualSizeBytes => _layout.VirtualSizeBytes;

    public override long LengthBytes => _layout.LengthBytes;

    public override bool NeedsPreparing => leavesZerosOut;

    public override async Task PrepareAsync(IProgress<long> progress, CancellationToken cancellationToken)
    {
        if (leavesZerosOut)
        {
            var map = new ClusterMap(Source.Map.SizeBytes);
            await DiskReading.VisitAsync(Source, _options, batch => AddData(map, batch), progress, cancellationToken)
                .ConfigureAwait(false);
            Source = Source.WithMap(map);
            _layout = new Qcow2Layout(map);
        }
    }

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
                    _layout.WriteMetadata(
                        cluster++, buffer.AsSpan(filled * ClusterMap.ClusterBytes, ClusterMap.ClusterBytes));
                }

                await sink.WriteAsync(buffer.AsMemory(0, filled * ClusterMap.ClusterBytes), cancellationToken)
                    .ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    protected override ValueTask WriteBatchAsync(
        ReadBatch batch, IImageSink sink, CancellationToken cancellationToken) =>
        sink.WriteAsync(batch.Buffer.Memory[..batch.LengthBytes], cancellationToken);

    /// <summary>Only the disk's last cluster may be a partial one.</summary>
    protected override ValueTask WriteTailAsync(
        long lengthBytes, IImageSink sink, CancellationToken cancellationToken) =>
        lengthBytes > 0 ? sink.WriteZerosAsync(lengthBytes, cancellationToken) : ValueTask.CompletedTask;

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
