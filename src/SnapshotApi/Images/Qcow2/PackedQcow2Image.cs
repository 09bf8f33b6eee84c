using System.Runtime.CompilerServices;

namespace SnapshotApi.Images;

/// <summary>
/// A disk as qcow2 without its zeros, compressed if asked for. Read by several connections, compressed on all cores,
/// written by one <see cref="Qcow2Packer"/>.
/// </summary>
/// <remarks>
/// The readers fill batches ahead; this takes them in the order of the disk, gives each to a worker, and writes the
/// oldest while the workers are at the next. Batches go back to the readers in the order in which they came.
/// </remarks>
internal sealed class PackedQcow2Image(
    DiskSource source, ImageSpec spec, ClusterSample sample, ImageStreamOptions options)
    : FileImage
{
    /// <summary>
    /// Where the tables are, as a part of the expected length: what lies before them is digested while it is written,
    /// what lies behind afterwards. The estimate is right within a tenth for a full disk; for a nearly empty one the
    /// lower bound decides. Tables beyond the end of the data would make the file longer.
    /// </summary>
    private const double TablesAt = 0.8;

    public override ImageFormat Format => ImageFormat.Qcow2;

    public override long VirtualSizeBytes => (source.Map.SizeBytes + 511) / 512 * 512;

    /// <summary>The data by the sample, and the tables of them all.</summary>
    public override long LengthBytes =>
        StoredBytes + (new Qcow2Layout(source.Map).MetadataClusters * ClusterMap.ClusterBytes);

    public override long DataBytes => source.Map.DataBytes;

    public override string? SparseNote => spec.Sparsify == Sparsify.Never ? null : sample.Describe(leftOut: true);

    private long StoredBytes => sample.StoredBytesOf(source.Map.DataClusters);

    private long TablesAtBytes =>
        Math.Min((long)(StoredBytes * TablesAt), sample.StoredBytesAtLeast(source.Map.DataClusters));

    public override Task WriteAsync(IImageFile file, IProgress<long> progress, CancellationToken cancellationToken) =>
        DiskReading.RunAsync(
            source,
            options,
            (ring, watch) => PackAsync(ring, new WatchedFile(file, watch), progress, watch),
            cancellationToken);

    public override ValueTask DisposeAsync()
    {
        source.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task PackAsync(ReadRing ring, WatchedFile file, IProgress<long> progress, StallWatch watch)
    {
        var packer = new Qcow2Packer(file, source.Map.SizeBytes, spec.Compression == Compression.Zstd, TablesAtBytes);
        await packer.BeginAsync(watch.Token).ConfigureAwait(false);
        int batches = Math.Max(2, options.MaxBuffersBytes / ParallelReader.BatchBytes);
        var workers = new ClusterWorkers(spec.Compression, spec.CompressionLevel, batches - 1);
        await using var _ = workers.ConfigureAwait(false);
        long taken = 0;
        long written = 0;
        long doneBytes = 0;
        for (bool isAtEnd = false; !isAtEnd || written < taken;)
        {
            if (!isAtEnd && await TakeAsync(ring, watch).ConfigureAwait(false) is { } batch)
            {
                workers.Begin((int)(taken++ % workers.JobCount), batch);
            }
            else
            {
                isAtEnd = true;
            }

            if (written < taken && (isAtEnd || taken - written == workers.JobCount))
            {
                PackJob job = workers[(int)(written++ % workers.JobCount)];
                watch.WaitFor(null);
                await job.DoneAsync().ConfigureAwait(false);
                watch.WaitFor(CopySide.Source);
                await WriteAsync(job, packer, file, watch.Token).ConfigureAwait(false);
                await packer.MarkFinalAsync(watch.Token).ConfigureAwait(false);
                doneBytes += job.Batch!.LengthBytes;
                ring.Release();
                progress.Report(doneBytes);
                watch.Token.ThrowIfCancellationRequested();
            }
        }

        await packer.FinishAsync(watch.Token).ConfigureAwait(false);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadBatch?> TakeAsync(ReadRing ring, StallWatch watch)
    {
        ReadBatch? batch = await ring.NextAsync().ConfigureAwait(false);
        if (batch is not null)
        {
            await DiskReading.LimitAsync(options, watch, batch.LengthBytes).ConfigureAwait(false);
        }

        return batch;
    }

    // Clusters that are stored as they are, and lie side by side in the buffer and in the file, are one write.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private static async ValueTask WriteAsync(
        PackJob job, Qcow2Packer packer, WatchedFile file, CancellationToken cancellationToken)
    {
        int runStart = 0;
        int runLength = 0;
        long runOffset = 0;
        for (int i = 0; i < job.Clusters.Length; i++)
        {
            PackedCluster cluster = job.Clusters[i];
            if (packer.MustTurn(cluster.Cluster))
            {
                await packer.TurnAsync(cluster.Cluster, cancellationToken).ConfigureAwait(false);
            }

            if (cluster.CompressedLength > 0)
            {
                await packer.AddPackedAsync(cluster.Cluster, job.Compressed(cluster), cancellationToken)
                    .ConfigureAwait(false);
                continue;
            }

            long offset = packer.PlaceStored(cluster.Cluster);
            if (runLength > 0 && (offset != runOffset + runLength || cluster.BufferOffset != runStart + runLength))
            {
                await WriteRunAsync().ConfigureAwait(false);
            }

            if (runLength == 0)
            {
                (runStart, runOffset) = (cluster.BufferOffset, offset);
            }

            runLength += cluster.Length;
        }

        if (runLength > 0)
        {
            await WriteRunAsync().ConfigureAwait(false);
        }

        ValueTask WriteRunAsync()
        {
            int length = runLength;
            runLength = 0;
            return file.WriteAtAsync(runOffset, job.Batch!.Buffer.Memory.Slice(runStart, length), cancellationToken);
        }
    }
}
