namespace SnapshotApi.Hypervisor;

/// <summary>Where a server of Nova's comes from.</summary>
/// <param name="BaseImageId">Image that its root disk was made from; null when it was none (booted from a volume).</param>
/// <param name="ProjectId">Project that it belongs to.</param>
/// <param name="UserId">User who made it.</param>
internal sealed record NovaOrigin(Guid? BaseImageId, string? ProjectId, string? UserId);
