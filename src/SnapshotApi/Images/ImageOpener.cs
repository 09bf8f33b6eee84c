using SnapshotApi.Tools;

namespace SnapshotApi.Images;

/// <summary>Decides how an image is made, by the request, the data on the disk, and the store.</summary>
internal sealed class ImageOpener(QemuImg qemuImg)
{
    /// <summary>
    /// Connects, asks what is allocated, samples it where that matters, and plans the image, which holds no connection
    /// until it is read. The caller disposes it.
    /// </summary>
    /// <param name="endpoint">The disk.</param>
    /// <param name="spec">What it becomes.</param>
    /// <param name="spool">Spools an image that needs a file; null: the store takes files.</param>
    /// <param name="options">How it is read.</param>
    /// <param name="cancellationToken">Ends the connecting and the sampling.</param>
    /// <exception cref="ImageCopyException">The disk can't be reached or planned; the side is the source.</exception>
    /// <exception cref="ImageStalledException">The server did not answer within the stall limit.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<DiskImage> OpenAsync(
        NbdEndpoint endpoint,
        ImageSpec spec,
        Func<FileImage, DiskImage>? spool,
        ImageStreamOptions options,
        CancellationToken cancellationToken)
    {
        DiskSource source = await DiskSource.OpenAsync(endpoint, options, cancellationToken).ConfigureAwait(false);
        try
        {
            Task<DiskImage> opening = spec.Format switch
            {
                ImageFormat.Qcow2 => Qcow2Async(source, spec, spool is null, options, cancellationToken),
                ImageFormat.Raw => RawAsync(source, spec, spool is null, options, cancellationToken),
                _ => Task.FromResult<DiskImage>(
                    new ConvertedImage(qemuImg, endpoint, source.Map, spec.Format, options)),
            };
            DiskImage image = await opening.ConfigureAwait(false);
            return spool is not null && image is FileImage file ? spool(file) : image;
        }
        finally
        {
            // Each image connects again when its turn comes.
            source.Release();
        }
    }

    private static async Task<DiskImage> Qcow2Async(
        DiskSource source,
        ImageSpec spec,
        bool takesFiles,
        ImageStreamOptions options,
        CancellationToken cancellationToken)
    {
        bool compresses = spec.Compression != Compression.None;
        if (!compresses && spec.Sparsify == Sparsify.Never)
        {
            return new Qcow2Image(source, options);
        }

        ClusterSample sample = await ClusterSample.TakeAsync(source, spec, options, cancellationToken)
            .ConfigureAwait(false);
        if (!compresses && spec.Sparsify == Sparsify.Auto && !sample.IsWorthwhile)
        {
            return new Qcow2Image(source, options) { SparseNote = sample.Describe(leftOut: false) };
        }

        return compresses || takesFiles
            ? new PackedQcow2Image(source, spec, sample, options)
            : new Qcow2Image(source, options, leavesZerosOut: true) { SparseNote = sample.Describe(leftOut: true) };
    }

    // A raw file is as long as the disk: zeros are worth a search only where they can become holes.
    private static async Task<DiskImage> RawAsync(
        DiskSource source,
        ImageSpec spec,
        bool takesFiles,
        ImageStreamOptions options,
        CancellationToken cancellationToken)
    {
        if (!takesFiles || spec.Sparsify == Sparsify.Never)
        {
            return new RawImage(source, options);
        }

        ClusterSample sample = await ClusterSample.TakeAsync(source, spec, options, cancellationToken)
            .ConfigureAwait(false);
        bool findsZeros = spec.Sparsify == Sparsify.Always || sample.IsWorthwhile;
        return new RawImage(source, options, findsZeros) { SparseNote = sample.Describe(findsZeros) };
    }
}
