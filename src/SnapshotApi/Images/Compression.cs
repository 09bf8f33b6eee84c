using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Images;

/// <summary>How the clusters of a qcow2 image are compressed.</summary>
[JsonConverter(typeof(CompressionConverter))]
internal enum Compression
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>zstd; read by QEMU 5.1 and later.</summary>
    Zstd,

    /// <summary>Deflate; read by every QEMU, several times slower to make.</summary>
    Zlib,
}

/// <summary>Writes <see cref="Compression"/> in snake_case, the form of the HTTP contract and of the job row.</summary>
internal sealed class CompressionConverter()
    : JsonStringEnumConverter<Compression>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
