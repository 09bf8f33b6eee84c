namespace SnapshotApi.Api.Contracts;

/// <summary>What the downtime of a cold capture was spent on.</summary>
/// <param name="SaveMs">Milliseconds until the guest's memory was saved.</param>
/// <param name="CopyMs">Milliseconds until its top layers were cloned or copied; with an internal snapshot until its image was read.</param>
/// <param name="RestoreMs">Milliseconds until it ran again.</param>
internal sealed record Downtime(long SaveMs, long CopyMs, long RestoreMs);
