using SnapshotApi.Images;

namespace SnapshotApi.Snapshots;

/// <summary>One run of one job, as the pipeline sees it.</summary>
/// <param name="JobId">Id of the job.</param>
/// <param name="ServerId">UUID of the server.</param>
/// <param name="Attempt">1 for the first run.</param>
/// <param name="Request">What the user asked for.</param>
/// <param name="Bandwidth">The job's limit for reading its disks; its user may change it while it runs.</param>
internal sealed record SnapshotWork(Guid JobId, Guid ServerId, int Attempt, SnapshotRequest Request, BandwidthLimit Bandwidth);
