using SnapshotApi.Tools;

namespace SnapshotApi.Images;

/// <summary>Decides, for one disk, how its image is made: from what is asked for, what is on the disk, and what the store can take.</summary>
internal sealed class ImageOpener(QemuImg qemuImg)
{
    /// <summary>
    /// Connects, asks what is allocated, looks at a sample of it where that matters, and plans the image, which holds no connection before it is
    /// read. The caller disposes it.
    /// </summary>
    /// <param name="endpoint">The disk.</param>
    /// <param name="spec">What it is to become.</param>
    /// <param name="takesFiles">It goes into a file that may be written in any order; else it should be a stream.</param>
    /// <param name="options">How it is read.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ImageCopyException">The disk can't be reached or planned; the side is the source.</exception>
    /// <exception cref="ImageStalledException">The server did not answer within the stall limit.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<IDiskImage> OpenAsync(
        NbdEndpoint endpoint, ImageSpec spec, bool takesFiles, ImageStreamOptions options, CancellationToken cancellationToken)
    {
        DiskSource? source = await DiskSource.OpenAsync(endpoint, options, cancellationToken).ConfigureAwait(false);
        try
        {
            IDiskImage image = spec.Format switch
            {
                ImageFormat.Qcow2 => await Qcow2Async(source, spec, takesFiles, options, cancellationToken).ConfigureAwait(false),
                ImageFormat.Raw => await RawAsync(source, spec, takesFiles, options, cancellationToken).ConfigureAwait(false),
                _ => new ConvertedImage(qemuImg, endpoint, source.Map, spec, options),
            };

            // qemu-img has a connection of its own, all others connect again when their turn comes.
            source.Release();
            source = null;
            return image;
        }
        finally
        {
            source?.Dispose();
        }
    }

    private static async Task<IDiskImage> Qcow2Async(
        DiskSource source, ImageSpec spec, bool takesFiles, ImageStreamOptions options, CancellationToken cancellationToken)
    {
        bool compresses = spec.Compression != Compression.None;
        if (!compresses && spec.Sparsify == Sparsify.Never)
        {
            return new Qcow2Stream(source, options);
        }

        ClusterSample sample = await ClusterSample.TakeAsync(source, spec, options, cancellationToken).ConfigureAwait(false);
        if (!compresses && spec.Sparsify == Sparsify.Auto && !sample.IsWorthwhile)
        {
            return new Qcow2Stream(source, options) { Finding = sample.Describe(leftOut: false) };
        }

        return compresses || takesFiles
            ? new PackedQcow2Image(source, spec, sample, options)
            : new UnscannedQcow2Image(source, sample, options);
    }

    // The length of a raw file is the disk's: only where its zeros can become holes is it worth to look for them.
    private static async Task<IDiskImage> RawAsync(
        DiskSource source, ImageSpec spec, bool takesFiles, ImageStreamOptions options, CancellationToken cancellationToken)
    {
        if (!takesFiles || spec.Sparsify == Sparsify.Never)
        {
            return new RawStream(source, options);
        }

        ClusterSample sample = await ClusterSample.TakeAsync(source, spec, options, cancellationToken).ConfigureAwait(false);
        bool findsZeros = spec.Sparsify == Sparsify.Always || sample.IsWorthwhile;
        return new RawStream(source, options, findsZeros) { Finding = sample.Describe(findsZeros) };
    }
}
