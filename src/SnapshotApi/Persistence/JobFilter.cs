namespace SnapshotApi.Persistence;

/// <summary>Which jobs a listing shows; newest first.</summary>
/// <param name="ServerId">Only this server's; null: all.</param>
/// <param name="Node">Only this node's; null: all.</param>
/// <param name="Statuses">Only these; empty: all.</param>
/// <param name="Before">Keyset cursor: only jobs older than this (creation time, id); null: from the newest.</param>
/// <param name="Limit">At most this many, 1 to 200.</param>
internal sealed record JobFilter(Guid? ServerId, string? Node, IReadOnlyList<JobStatus> Statuses, JobCursor? Before, int Limit);

/// <summary>Place in the list of jobs.</summary>
internal readonly record struct JobCursor(DateTimeOffset CreatedAt, Guid Id);
