namespace SnapshotApi.Images;

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
