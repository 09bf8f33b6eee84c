using SnapshotApi.Api.Contracts;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Mapping;

/// <summary>Images as the API shows them.</summary>
internal static class ImageMapping
{
    /// <summary>An image row as the API shows it.</summary>
    public static Image ToContract(this ImageRecord record) => new(
        record.Image.Id,
        record.Name,
        record.Image.Store,
        record.Image.Location,
        record.Image.Format,
        record.Image.SizeBytes,
        record.VirtualSizeBytes,
        new ImageDigest(record.Image.Digest.Algorithm, record.Image.Digest.Value),
        new ServerReference(record.ServerId, record.ServerName),
        record.Node,
        record.Target,
        record.JobId,
        record.Properties,
        record.CreatedAt,
        new ImageLinks(Links.Image(record.Image.Id), Links.ImageFile(record.Image.Id), Links.Job(record.JobId)));
}
