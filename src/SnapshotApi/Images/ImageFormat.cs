using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Images;

/// <summary>Format of an image file.</summary>
[JsonConverter(typeof(ImageFormatConverter))]
internal enum ImageFormat
{
    /// <summary>QEMU copy-on-write, version 3, standalone, only allocated clusters; compressed if asked for.</summary>
    Qcow2,

    /// <summary>The disk byte by byte; a directory store keeps its holes.</summary>
    Raw,

    /// <summary>VMware, monolithicSparse; made by qemu-img.</summary>
    Vmdk,

    /// <summary>VirtualBox, dynamic; made by qemu-img.</summary>
    Vdi,

    /// <summary>Hyper-V, dynamic; made by qemu-img.</summary>
    Vhdx,
}

/// <summary>Writes <see cref="ImageFormat"/> in lower case, as QEMU spells it.</summary>
internal sealed class ImageFormatConverter()
    : JsonStringEnumConverter<ImageFormat>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
