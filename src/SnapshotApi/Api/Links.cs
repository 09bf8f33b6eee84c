using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;
using SnapshotApi.Images;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api;

/// <summary>
/// Addresses within the API. They have no scheme and host, and begin with the path below which a proxy publishes
/// the service, so that they hold for its clients.
/// </summary>
/// <param name="root">That path without a slash at its end; empty without a proxy.</param>
internal sealed class Links(string root)
{
    /// <summary>The addresses for the caller of a request.</summary>
    public static Links Of(HttpContext context) => new(context.Request.PathBase.ToUriComponent().TrimEnd('/'));

    /// <summary>Address of a job.</summary>
    public string Job(Guid id) => $"{root}/jobs/{id:D}";

    /// <summary>Address of a job's step log.</summary>
    public string JobEvents(Guid id) => $"{root}/jobs/{id:D}/events";

    /// <summary>Address of a server.</summary>
    public string Server(Guid id) => $"{root}/servers/{id:D}";

    /// <summary>Address of a server's jobs.</summary>
    public string ServerSnapshots(Guid id) => $"{root}/servers/{id:D}/snapshots";

    /// <summary>Address of an image.</summary>
    public string Image(Guid id) => $"{root}/images/{id:D}";

    /// <summary>Address of a node.</summary>
    public string Node(string name) => $"{root}/nodes/{Uri.EscapeDataString(name)}";

    /// <summary>Address of an image's bytes.</summary>
    public string ImageFile(Guid id) => $"{root}/images/{id:D}/file";
}

/// <summary>Name of a download: made of the user's text, and harmless in any directory.</summary>
internal static class DownloadName
{
    // The longest name of common file systems has 255 bytes; with 4 bytes a character this stays below.
    private const int MaxLength = 60;

    /// <summary>Name of the image without characters special to shells and file systems, disk and format.</summary>
    public static string Of(ImageRecord image)
    {
        IEnumerable<char> safe = image.Name.Take(MaxLength)
            .Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '_');
        string name = string.Concat(safe).TrimStart('.', '-');
        string stem = name.Length == 0 ? image.Image.Id.ToString("D") : name;
        return $"{stem}-{image.Target}.{ImageFormatNames.NameOf(image.Image.Format)}";
    }
}

/// <summary>Digest of a file in the form of RFC 9530.</summary>
internal static class ReprDigest
{
    /// <summary>Value of the header Repr-Digest; null for an algorithm that the RFC does not have.</summary>
    public static string? Of(Digest digest) => digest.Algorithm is "sha256" or "sha512"
        ? $"sha-{digest.Algorithm[3..]}=:{Convert.ToBase64String(Convert.FromHexString(digest.Value))}:"
        : null;
}

/// <summary>ETags of jobs: the version of the row.</summary>
internal static class EntityTags
{
    public static EntityTagHeaderValue Of(long version) => new($"\"{version.ToString(CultureInfo.InvariantCulture)}\"");

    /// <summary>The client has this version already: If-None-Match names it.</summary>
    public static bool IsKnown(HttpRequest request, long version)
    {
        EntityTagHeaderValue tag = Of(version);
        return IfNoneMatch(request)
            .Any(t => t.Equals(EntityTagHeaderValue.Any) || t.Compare(tag, useStrongComparison: false));
    }

    /// <summary>The client says which version it has.</summary>
    public static bool HasIfNoneMatch(HttpRequest request) => IfNoneMatch(request).Count > 0;

    private static IList<EntityTagHeaderValue> IfNoneMatch(HttpRequest request) =>
        new RequestHeaders(request.Headers).IfNoneMatch;
}
