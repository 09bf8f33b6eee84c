using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Images;

/// <summary>Format of an image file.</summary>
[JsonConverter(typeof(ImageFormatConverter))]
internal enum ImageFormat
{
    /// <summary>QEMU copy-on-write, version 3, uncompressed, only allocated clusters.</summary>
    Qcow2,

    /// <summary>The disk byte by byte; a directory store keeps its holes.</summary>
    Raw,
}

/// <summary>Writes <see cref="ImageFormat"/> in lower case, as QEMU spells it.</summary>
internal sealed class ImageFormatConverter()
    : JsonStringEnumConverter<ImageFormat>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
