using SnapshotApi.Captures;

namespace SnapshotApi.Api.Contracts;

/// <summary>The capture chosen for a job.</summary>
/// <param name="Kind">How a stable view of the disks is obtained.</param>
/// <param name="Reason">Why this one, in a sentence.</param>
internal sealed record JobCapture(CaptureKind Kind, string? Reason);
