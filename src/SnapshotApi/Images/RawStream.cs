using System.Runtime.CompilerServices;

namespace SnapshotApi.Images;

/// <summary>A disk byte by byte; what is not allocated is handed to the sink as zeros.</summary>
internal sealed class RawStream(DiskSource source, ImageStreamOptions options) : NbdImageStream(source, options)
{
    /// <summary>A digest hashes zeros too: longer pieces would hide its progress from the stall watch and from a cancellation.</summary>
    private const long LongestZerosBytes = 256 * 1024 * 1024;

    private long _positionBytes;

    public override ImageFormat Format => ImageFormat.Raw;

    public override long VirtualSizeBytes { get; } = source.Map.SizeBytes;

    public override long LengthBytes => VirtualSizeBytes;

    protected override ValueTask WriteHeadAsync(IImageSink sink, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    protected override async ValueTask WriteBatchAsync(ReadBatch batch, IImageSink sink, CancellationToken cancellationToken)
    {
        for (int first = 0; first < batch.Reads.Length;)
        {
            DiskRead read = batch.Reads[first];
            int length = Contiguous(batch.Reads, ref first);
            await WriteZerosToAsync(read.OffsetBytes, sink, cancellationToken).ConfigureAwait(false);
            await sink.WriteAsync(batch.Buffer.Memory.Slice(read.BufferOffsetBytes, length), cancellationToken).ConfigureAwait(false);
            _positionBytes += length;
        }
    }

    protected override ValueTask WriteTailAsync(long lengthBytes, IImageSink sink, CancellationToken cancellationToken) =>
        WriteZerosToAsync(LengthBytes, sink, cancellationToken);

    /// <summary>The length of the reads that follow each other on the disk; steps behind them.</summary>
    private static int Contiguous(ReadOnlySpan<DiskRead> reads, ref int index)
    {
        DiskRead last = reads[index++];
        int length = last.LengthBytes;
        while (index < reads.Length && reads[index].OffsetBytes == last.OffsetBytes + last.LengthBytes)
        {
            last = reads[index++];
            length += last.LengthBytes;
        }

        return length;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteZerosToAsync(long offsetBytes, IImageSink sink, CancellationToken cancellationToken)
    {
        while (_positionBytes < offsetBytes)
        {
            long length = Math.Min(LongestZerosBytes, offsetBytes - _positionBytes);
            await sink.WriteZerosAsync(length, cancellationToken).ConfigureAwait(false);
            _positionBytes += length;
        }
    }
}
