namespace SnapshotApi.Hypervisor;

/// <summary>Where a server of Nova's comes from.</summary>
/// <param name="BaseImageId">Image that its root disk was made from; null when it was none (booted from a volume).</param>
/// <param name="ProjectId">Project that it belongs to.</param>
/// <param name="UserId">User who made it.</param>
internal sealed record NovaOrigin(Guid? BaseImageId, string? ProjectId, string? UserId)
{
    /// <summary>Name that its user gave it; the domain has another, for example <c>instance-0000002a</c>.</summary>
    public string? Name { get; init; }

    /// <summary>Name of its flavor.</summary>
    public string? Flavor { get; init; }

    /// <summary>When its definition was written by Nova; for a server that was never changed, when it was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }
}
