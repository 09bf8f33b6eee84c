using SnapshotApi.Codecs;

namespace SnapshotApi.Images;

/// <summary>The compressors by what a user asks for.</summary>
internal static class ClusterCompressors
{
    /// <summary>The lowest level of a kind of compression.</summary>
    public const int MinLevel = 1;

    /// <summary>A compressor for one thread; the caller disposes.</summary>
    /// <exception cref="CodecException">No memory.</exception>
    public static BlockCompressor Create(Compression compression, int? level) => compression switch
    {
        Compression.Zstd => new ZstdCompressor(level ?? DefaultLevel(compression)),
        Compression.Zlib => new RawDeflateCompressor(level ?? DefaultLevel(compression)),
        _ => throw new ArgumentOutOfRangeException(nameof(compression), compression, "nothing to compress with"),
    };

    /// <summary>The level without a wish: that of the libraries, and so of qemu-img, whose images are then as large as ours.</summary>
    public static int DefaultLevel(Compression compression) => compression == Compression.Zstd ? 3 : 6;

    /// <summary>The highest level; 0: there are none.</summary>
    public static int MaxLevel(Compression compression) => compression switch
    {
        Compression.Zstd => ZstdCompressor.MaxLevel,
        Compression.Zlib => RawDeflateCompressor.MaxLevel,
        _ => 0,
    };
}
