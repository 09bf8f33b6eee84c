using SnapshotApi.Images;

namespace SnapshotApi.Api.Contracts;

/// <summary>The image that a job made of one disk.</summary>
/// <param name="Id">Id of the image; it is at <c>/images/{id}</c>.</param>
/// <param name="Store">Name of the store that holds it.</param>
/// <param name="Location">Where it is within its store.</param>
/// <param name="Format">Format of the file.</param>
/// <param name="SizeBytes">Length of the file.</param>
/// <param name="Digest">Digest of the file's bytes.</param>
internal sealed record JobImage(Guid Id, string Store, string Location, ImageFormat Format, long SizeBytes, ImageDigest Digest);
