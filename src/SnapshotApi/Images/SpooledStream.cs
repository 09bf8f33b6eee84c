using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Images;

/// <summary>An image that lies in a file, whole; may be sent as often as it takes. The file stays the caller's.</summary>
/// <param name="image">What it was made from.</param>
/// <param name="path">Where it is.</param>
/// <param name="options">Stall limit and clock.</param>
internal sealed class SpooledStream(IDiskImage image, string path, ImageStreamOptions options) : IImageStream
{
    private const int PieceBytes = 1024 * 1024;

    public ImageFormat Format => image.Format;

    public long VirtualSizeBytes => image.VirtualSizeBytes;

    public long LengthBytes { get; } = new FileInfo(path).Length;

    public long DataBytes => LengthBytes;

    public string? Finding => image.Finding;

    public async Task CopyToAsync(IImageSink sink, IProgress<long> progress, CancellationToken cancellationToken)
    {
        using var watch = new StallWatch(options, () => 0, cancellationToken);
        var guarded = new GuardedSink(sink, watch);
        byte[] piece = new byte[PieceBytes];
        try
        {
            using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
            while (guarded.LengthBytes < LengthBytes)
            {
                int length = (int)Math.Min(PieceBytes, LengthBytes - guarded.LengthBytes);
                await ReadAsync(file, piece.AsMemory(0, length), guarded.LengthBytes, watch.Token).ConfigureAwait(false);
                await guarded.WriteAsync(piece.AsMemory(0, length), watch.Token).ConfigureAwait(false);
                progress.Report(guarded.LengthBytes);
                watch.Token.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException e)
        {
            throw watch.Explain(e);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static async ValueTask ReadAsync(SafeFileHandle file, Memory<byte> bytes, long offset, CancellationToken cancellationToken)
    {
        try
        {
            for (int done = 0; done < bytes.Length;)
            {
                int read = await RandomAccess.ReadAsync(file, bytes[done..], offset + done, cancellationToken).ConfigureAwait(false);
                done += read > 0 ? read : throw new EndOfStreamException("the spooled image became shorter");
            }
        }
        catch (IOException e)
        {
            throw new ImageCopyException(CopySide.Source, "reading the spooled image failed", e);
        }
    }
}
