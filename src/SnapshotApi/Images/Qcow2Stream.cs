using System.Buffers;

namespace SnapshotApi.Images;

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
