using System.Text.Json.Serialization;

namespace SnapshotApi.Images;

/// <summary>What kind of file a disk is to become.</summary>
/// <param name="Format">Format of the file.</param>
/// <param name="Compression">Of qcow2's clusters; with compression clusters of zeros are always left out.</param>
/// <param name="CompressionLevel">
/// zstd 1 to 19, zlib 1 to 9; null: <see cref="ClusterCompressors.DefaultLevel"/>.
/// </param>
/// <param name="Sparsify">Whether zeros that are allocated are left out.</param>
internal sealed record ImageSpec(
    ImageFormat Format,
    Compression Compression = Compression.None,
    int? CompressionLevel = null,
    Sparsify Sparsify = Sparsify.Never);

/// <summary>Format of an image file.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<ImageFormat>))]
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

/// <summary>How formats are called outside of this program.</summary>
internal static class ImageFormatNames
{
    /// <summary>QEMU's name of a format, which is also the usual ending of its files.</summary>
    public static string NameOf(ImageFormat format) => format switch
    {
        ImageFormat.Qcow2 => "qcow2",
        ImageFormat.Raw => "raw",
        ImageFormat.Vmdk => "vmdk",
        ImageFormat.Vdi => "vdi",
        ImageFormat.Vhdx => "vhdx",
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "no such format"),
    };

    /// <summary>The format of a name; null for a name that is none.</summary>
    public static ImageFormat? Find(string? name) =>
        Enum.GetValues<ImageFormat>().Where(format => NameOf(format) == name).Cast<ImageFormat?>().FirstOrDefault();
}

/// <summary>How the clusters of a qcow2 image are compressed.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<Compression>))]
internal enum Compression
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>zstd; read by QEMU 5.1 and later.</summary>
    Zstd,

    /// <summary>Deflate; read by every QEMU, several times slower to make.</summary>
    Zlib,
}

/// <summary>Whether allocated clusters that hold only zeros are looked for and left out.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<Sparsify>))]
internal enum Sparsify
{
    /// <summary>If a random sample of the clusters shows that more than a quarter of them is zero.</summary>
    Auto,

    /// <summary>Always.</summary>
    Always,

    /// <summary>They are stored as they are.</summary>
    Never,
}
