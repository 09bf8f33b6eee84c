using SnapshotApi.Hypervisor;

namespace SnapshotApi.Images;

/// <summary>Writes the disk byte by byte, its holes as zeros.</summary>
internal sealed class RawWriter : IImageWriter
{
    public ImageFormat Format => ImageFormat.Raw;

    public async Task<IImageStream> OpenAsync(
        NbdEndpoint endpoint, ImageStreamOptions options, CancellationToken cancellationToken)
    {
        DiskSource source = await DiskSource.OpenAsync(endpoint, options, cancellationToken).ConfigureAwait(false);
        return new RawStream(source, options);
    }
}
