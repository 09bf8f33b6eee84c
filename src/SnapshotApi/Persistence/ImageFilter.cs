namespace SnapshotApi.Persistence;

/// <summary>Which images a listing shows; newest first.</summary>
/// <param name="ServerId">Only those of this server; null: all.</param>
/// <param name="JobId">Only those of this job; null: all.</param>
/// <param name="Before">Keyset cursor: only images older than this (creation time, id); null: from the newest.</param>
/// <param name="Limit">At most this many, 1 to 200.</param>
internal sealed record ImageFilter(Guid? ServerId, Guid? JobId, ImageCursor? Before, int Limit);

/// <summary>Place in the list of images.</summary>
internal readonly record struct ImageCursor(DateTimeOffset CreatedAt, Guid Id);
