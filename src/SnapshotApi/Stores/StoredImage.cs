using SnapshotApi.Images;

namespace SnapshotApi.Stores;

/// <summary>A published image, as its store holds it.</summary>
/// <param name="Id">Id of the image.</param>
/// <param name="Store">Name of the store: <c>directory</c>.</param>
/// <param name="Location">Where it is within its store; for a directory store the file's name, never a host path.</param>
/// <param name="Format">Format of the file.</param>
/// <param name="SizeBytes">Length of the file.</param>
/// <param name="Digest">Digest of the file's bytes.</param>
internal sealed record StoredImage(Guid Id, string Store, string Location, ImageFormat Format, long SizeBytes, Digest Digest);
