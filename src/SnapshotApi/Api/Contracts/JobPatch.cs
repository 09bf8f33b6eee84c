namespace SnapshotApi.Api.Contracts;

/// <summary>
/// What to change of a job, as a JSON merge patch (RFC 7396): a member that is left out stays as it is, null takes it away. Unknown
/// members are errors. This type only describes the body: it is read by <see cref="Validation.JobPatchReader"/>.
/// </summary>
internal sealed record JobPatch
{
    /// <summary>Limit for reading the disks, in bytes a second; null lifts it.</summary>
    public long? BandwidthBytesPerSecond { get; init; }
}
