using System.Runtime.CompilerServices;

namespace SnapshotApi.Images;

/// <summary>A disk byte by byte; what is not allocated is handed to the sink as zeros.</summary>
/// <param name="source">The disk; disposed with this.</param>
/// <param name="options">How it is read.</param>
/// <param name="findsZeros">What is allocated, but zero, is handed over as zeros too.</param>
internal sealed class RawImage(DiskSource source, ImageStreamOptions options, bool findsZeros = false)
    : StreamedImage(source, options)
{
    /// <summary>
    /// Zeros are hashed, and sent to Glance. Longer pieces would hide their progress from the stall watch, a
    /// cancellation and the user. Shorter ones cost more than the hashing from 64 KiB down.
    /// </summary>
    private const long LongestZerosBytes = 8 * 1024 * 1024;

    private long _positionBytes;

    public override ImageFormat Format => ImageFormat.Raw;

    public override long VirtualSizeBytes { get; } = source.Map.SizeBytes;

    public override long LengthBytes => VirtualSizeBytes;

    /// <summary>Zeros are hashed like data: they are most of the work on an empty disk.</summary>
    public override long WorkBytes => LengthBytes;

    protected override ValueTask WriteHeadAsync(IImageSink sink, CancellationToken cancellationToken)
    {
        _positionBytes = 0;
        return ValueTask.CompletedTask;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    protected override async ValueTask WriteBatchAsync(
        ReadBatch batch, IImageSink sink, CancellationToken cancellationToken)
    {
        for (int first = 0; first < batch.Reads.Length;)
        {
            DiskRead read = batch.Reads[first];
            int length = Contiguous(batch.Reads, ref first);
            if (findsZeros)
            {
                await WriteDataAsync(
                    read.OffsetBytes,
                    batch.Buffer.Memory.Slice(read.BufferOffsetBytes, length),
                    sink,
                    cancellationToken)
                    .ConfigureAwait(false);
                continue;
            }

            await WriteZerosToAsync(read.OffsetBytes, sink, cancellationToken).ConfigureAwait(false);
            await sink.WriteAsync(batch.Buffer.Memory.Slice(read.BufferOffsetBytes, length), cancellationToken)
                .ConfigureAwait(false);
            _positionBytes += length;
        }

        // Zeros at its end, too: otherwise progress stands still while nothing else is read.
        if (findsZeros)
        {
            DiskRead last = batch.Reads[^1];
            await WriteZerosToAsync(last.OffsetBytes + last.LengthBytes, sink, cancellationToken).ConfigureAwait(false);
        }
    }

    protected override ValueTask WriteTailAsync(
        long lengthBytes, IImageSink sink, CancellationToken cancellationToken) =>
        WriteZerosToAsync(LengthBytes, sink, cancellationToken);

    protected override long ProgressOf(long dataBytes, long fileBytes) => fileBytes;

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

    // Zeros are written when the data behind them are, or the batch is over.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteDataAsync(
        long offsetBytes, ReadOnlyMemory<byte> bytes, IImageSink sink, CancellationToken cancellationToken)
    {
        for (int start = NextData(bytes, 0); start < bytes.Length;)
        {
            int end = start;
            while (end < bytes.Length && NextData(bytes, end) == end)
            {
                end = Math.Min(end + ClusterMap.ClusterBytes, bytes.Length);
            }

            await WriteZerosToAsync(offsetBytes + start, sink, cancellationToken).ConfigureAwait(false);
            await sink.WriteAsync(bytes[start..end], cancellationToken).ConfigureAwait(false);
            _positionBytes += end - start;
            start = NextData(bytes, end);
        }
    }

    /// <summary>The first cluster at or after the offset that is not zero, or the end.</summary>
    private static int NextData(ReadOnlyMemory<byte> bytes, int offset)
    {
        while (offset < bytes.Length
            && ZeroTest.IsZero(bytes.Span[offset..Math.Min(offset + ClusterMap.ClusterBytes, bytes.Length)]))
        {
            offset += ClusterMap.ClusterBytes;
        }

        return Math.Min(offset, bytes.Length);
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
