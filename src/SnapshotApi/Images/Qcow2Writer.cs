using SnapshotApi.Hypervisor;

namespace SnapshotApi.Images;

/// <summary>Writes qcow2 version 3, uncompressed.</summary>
internal sealed class Qcow2Writer : IImageWriter
{
    public ImageFormat Format => ImageFormat.Qcow2;

    public async Task<IImageStream> OpenAsync(
        NbdEndpoint endpoint, ImageStreamOptions options, CancellationToken cancellationToken)
    {
        DiskSource source = await DiskSource.OpenAsync(endpoint, options, cancellationToken).ConfigureAwait(false);
        return new Qcow2Stream(source, options);
    }
}
