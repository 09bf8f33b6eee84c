using SnapshotApi.Codecs.Interop;

namespace SnapshotApi.Codecs;

/// <summary>Blocks as whole zstd frames, with their size in the frame's header and without checksum.</summary>
public sealed unsafe class ZstdCompressor : BlockCompressor
{
    public const int MinLevel = 1;

    /// <summary>Highest level that needs no more memory than a few MiB per thread for small blocks.</summary>
    public const int MaxLevel = 19;

    private readonly SafeZstdHandle _context;

    /// <exception cref="CodecException">No memory.</exception>
    public ZstdCompressor(int level)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(level, MinLevel);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(level, MaxLevel);
        _context = LibZstd.ZSTD_createCCtx();
        if (_context.IsInvalid)
        {
            _context.Dispose();
            throw new CodecException("ZSTD_createCCtx: out of memory");
        }

        nuint result = LibZstd.ZSTD_CCtx_setParameter(_context, LibZstd.ZSTD_c_compressionLevel, level);
        if (LibZstd.ZSTD_isError(result) != 0)
        {
            _context.Dispose();
            throw new CodecException($"ZSTD_CCtx_setParameter: error {LibZstd.ZSTD_getErrorCode(result)}");
        }
    }

    public override bool TryCompress(ReadOnlySpan<byte> block, Span<byte> destination, out int writtenBytes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(block.Length, nameof(block));
        nuint result;
        fixed (byte* source = block, target = destination)
        {
            result = LibZstd.ZSTD_compress2(_context, target, (nuint)destination.Length, source, (nuint)block.Length);
        }

        if (LibZstd.ZSTD_isError(result) == 0)
        {
            writtenBytes = (int)result;
            return true;
        }

        writtenBytes = 0;
        int code = LibZstd.ZSTD_getErrorCode(result);
        return code == LibZstd.ZSTD_error_dstSize_tooSmall
            ? false
            : throw new CodecException($"ZSTD_compress2: error {code}");
    }

    protected override void Dispose(bool disposing) => _context.Dispose();
}
