namespace SnapshotApi.Images;

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
