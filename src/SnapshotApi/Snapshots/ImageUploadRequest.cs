using SnapshotApi.Captures;
using SnapshotApi.Images;

namespace SnapshotApi.Snapshots;

/// <summary>One disk view to be turned into a published image.</summary>
/// <param name="Work">The run of the job.</param>
/// <param name="Store">Name of the store.</param>
/// <param name="View">The disk.</param>
/// <param name="Spec">What kind of file the image is.</param>
/// <param name="Properties">Properties of the image.</param>
internal sealed record ImageUploadRequest(
    SnapshotWork Work, string Store, DiskView View, ImageSpec Spec, IReadOnlyDictionary<string, string> Properties);
