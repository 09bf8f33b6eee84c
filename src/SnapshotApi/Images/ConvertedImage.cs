using SnapshotApi.Tools;

namespace SnapshotApi.Images;

/// <summary>A disk in one of the formats that qemu-img writes for us. It leaves zeros out of its own accord.</summary>
/// <param name="qemuImg">The tool.</param>
/// <param name="endpoint">The disk.</param>
/// <param name="map">What of it is data.</param>
/// <param name="format">What it becomes.</param>
/// <param name="options">Rate, stall limit and clock, also of the tool.</param>
internal sealed class ConvertedImage(
    QemuImg qemuImg, NbdEndpoint endpoint, ClusterMap map, ImageFormat format, ImageStreamOptions options) : FileImage
{
    public override ImageFormat Format => format;

    public override long VirtualSizeBytes => (map.SizeBytes + 511) / 512 * 512;

    /// <summary>
    /// These formats have blocks of up to 32 MiB (vhdx): scattered data may take more. The space is watched while it is
    /// written.
    /// </summary>
    public override long LengthBytes => DataBytes + (DataBytes / 16) + (8L << 20);

    public override long DataBytes => map.DataBytes;

    public override async Task WriteAsync(
        IImageFile file, IProgress<long> progress, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        long moves = 0;
        using var watch = new StallWatch(
            options, () => Volatile.Read(ref moves) + LengthOf(file.Path), cancellationToken);
        try
        {
            var conversion = new Conversion(file.Path, Name, map.SizeBytes, DataBytes, options.ToolBytesPerSecond());
            await qemuImg.ConvertAsync(endpoint, conversion, Advanced, watch.Token).ConfigureAwait(false);
            await VerifyAsync(file, watch.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e)
        {
            throw watch.Explain(e);
        }

        file.SetLength(LengthOf(file.Path));
        progress.Report(DataBytes);

        void Advanced(double percent)
        {
            Interlocked.Increment(ref moves);
            progress.Report((long)(Math.Clamp(percent, 0, 100) / 100 * DataBytes));
        }
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private string Name => ImageFormatNames.NameOf(format);

    private static long LengthOf(string path) => new FileInfo(path).Length;

    // The tool is asked, too, with the format named: what it wrote has that size and refers to no other file.
    private async Task VerifyAsync(IImageFile file, CancellationToken cancellationToken)
    {
        QemuImageInfo image = await qemuImg.InspectAsync(file.Path, Name, cancellationToken).ConfigureAwait(false);
        if (image.HasBackingFile)
        {
            throw new ImageRejectedException("the image has a backing file");
        }

        if (image.VirtualSizeBytes != VirtualSizeBytes)
        {
            throw new ImageRejectedException(string.Create(
                CultureInfo.InvariantCulture,
                $"the image holds {image.VirtualSizeBytes} bytes, not {VirtualSizeBytes}"));
        }
    }
}
