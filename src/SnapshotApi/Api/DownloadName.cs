using SnapshotApi.Images;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api;

/// <summary>Name under which a client keeps a download: derived from the user's text, harmless in any directory.</summary>
internal static class DownloadName
{
    // Longest name of common file systems is 255 bytes; with 4 bytes a character this stays below.
    private const int MaxLength = 60;

    /// <summary>The image's name with whatever could mean something to a shell or file system replaced, the disk and the format.</summary>
    public static string Of(ImageRecord image)
    {
        char[] safe = [.. image.Name.Take(MaxLength).Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '_')];
        string name = new string(safe).TrimStart('.', '-');
        string stem = name.Length == 0 ? image.Image.Id.ToString("D") : name;
        return $"{stem}-{image.Target}.{ImageFormatNames.NameOf(image.Image.Format)}";
    }
}
