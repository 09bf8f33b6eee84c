using System.Globalization;
using SnapshotApi.Tools;

namespace SnapshotApi.Images;

/// <summary>A disk in one of the formats that qemu-img writes for us. It leaves zeros out by itself.</summary>
internal sealed class ConvertedImage : IFileImage
{
    private readonly QemuImg _qemuImg;
    private readonly NbdEndpoint _endpoint;
    private readonly ImageSpec _spec;
    private readonly ImageStreamOptions _options;
    private readonly long _diskBytes;
    private bool _isWritten;

    /// <param name="qemuImg">The tool.</param>
    /// <param name="endpoint">The disk.</param>
    /// <param name="map">What of it is data.</param>
    /// <param name="spec">What it is to become.</param>
    /// <param name="options">Rate, stall limit and clock hold for the tool as well.</param>
    public ConvertedImage(QemuImg qemuImg, NbdEndpoint endpoint, ClusterMap map, ImageSpec spec, ImageStreamOptions options)
    {
        (_qemuImg, _endpoint, _spec, _options, _diskBytes) = (qemuImg, endpoint, spec, options, map.SizeBytes);
        DataBytes = map.DataBytes;

        // These formats have blocks of up to 32 MiB (vhdx): scattered data may take more. The space is watched while it is written.
        LengthBytes = DataBytes + (DataBytes / 16) + (8L << 20);
    }

    public ImageFormat Format => _spec.Format;

    public long VirtualSizeBytes => (_diskBytes + 511) / 512 * 512;

    public long LengthBytes { get; }

    public long DataBytes { get; }

    public string? Finding => null;

    public async Task WriteAsync(IImageFile file, IProgress<long> progress, CancellationToken cancellationToken)
    {
        if (_isWritten)
        {
            throw new InvalidOperationException("the image was written before");
        }

        _isWritten = true;
        cancellationToken.ThrowIfCancellationRequested();
        long moves = 0;
        using var watch = new StallWatch(_options, () => Volatile.Read(ref moves) + LengthOf(file.Path), cancellationToken);
        try
        {
            await _qemuImg.ConvertAsync(_endpoint, ConversionOf(file), Advanced, watch.Token).ConfigureAwait(false);
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

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static long LengthOf(string path) => new FileInfo(path).Length;

    private Conversion ConversionOf(IImageFile file) => new(
        file.Path,
        ImageFormatNames.NameOf(Format),
        _diskBytes,
        DataBytes,
        _options.ToolBytesPerSecond());

    // By the tool, too, with the format named: what it wrote is a disk of that size and refers to no other file.
    private async Task VerifyAsync(IImageFile file, CancellationToken cancellationToken)
    {
        QemuImageInfo image = await _qemuImg.InspectAsync(file.Path, ImageFormatNames.NameOf(Format), cancellationToken).ConfigureAwait(false);
        if (image.HasBackingFile)
        {
            throw new ImageRejectedException("the image has a backing file");
        }

        if (image.VirtualSizeBytes != VirtualSizeBytes)
        {
            throw new ImageRejectedException(string.Create(
                CultureInfo.InvariantCulture, $"the image holds {image.VirtualSizeBytes} bytes, not {VirtualSizeBytes}"));
        }
    }
}
