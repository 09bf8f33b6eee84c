namespace SnapshotApi.Snapshots;

/// <summary>
/// A record in Glance that was made before the job, for a client that looks for its image there from the beginning. The job fills it; it is
/// never replaced by another.
/// </summary>
/// <param name="Id">Id of the image.</param>
/// <param name="Type"><c>snapshot</c> or <c>backup</c>: Glance's property <c>image_type</c>.</param>
/// <param name="BackupType">Kind of backup, as its user names it: <c>daily</c>; null for a snapshot.</param>
/// <param name="ProjectId">Project of the server: Glance's property <c>owner_id</c>.</param>
/// <param name="UserId">User who asked for it.</param>
internal sealed record ReservedImage(Guid Id, string Type, string? BackupType, string ProjectId, string UserId);
