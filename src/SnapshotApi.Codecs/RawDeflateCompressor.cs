using SnapshotApi.Codecs.Interop;

namespace SnapshotApi.Codecs;

/// <summary>Blocks as raw deflate streams, without zlib's header and checksum, with a window of 4 KiB.</summary>
public sealed unsafe class RawDeflateCompressor : BlockCompressor
{
    public const int MinLevel = 1;
    public const int MaxLevel = 9;

    private readonly SafeDeflateHandle _stream;

    /// <exception cref="CodecException">No memory.</exception>
    public RawDeflateCompressor(int level)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(level, MinLevel);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(level, MaxLevel);
        _stream = SafeDeflateHandle.Create(level);
    }

    public override bool TryCompress(ReadOnlySpan<byte> block, Span<byte> destination, out int writtenBytes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(block.Length, nameof(block));
        ObjectDisposedException.ThrowIf(_stream.IsClosed, this);
        fixed (byte* source = block, target = destination)
        {
            return _stream.TryDeflate(source, block.Length, target, destination.Length, out writtenBytes);
        }
    }

    protected override void Dispose(bool disposing) => _stream.Dispose();
}
