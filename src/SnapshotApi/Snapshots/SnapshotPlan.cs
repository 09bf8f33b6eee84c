using SnapshotApi.Captures;
using SnapshotApi.Images;

namespace SnapshotApi.Snapshots;

/// <summary>What will be done, decided once; immutable.</summary>
/// <param name="Capture">The capture chosen.</param>
/// <param name="CaptureReason">Why, in a sentence for the job.</param>
/// <param name="Store">Name of the store.</param>
/// <param name="Disks">The disks to be imaged, in XML order.</param>
/// <param name="Notes">What the user should know: skipped drives, a weaker choice than asked.</param>
internal sealed record SnapshotPlan(
    CaptureKind Capture,
    string CaptureReason,
    string Store,
    IReadOnlyList<PlannedDisk> Disks,
    IReadOnlyList<string> Notes);

/// <summary>One disk of a plan.</summary>
/// <param name="Target">The disk's name, for example <c>vda</c>.</param>
/// <param name="Image">What kind of file its image is.</param>
internal sealed record PlannedDisk(string Target, ImageSpec Image);
