namespace SnapshotApi.Persistence;

/// <summary>What the user of a running job wants of it now.</summary>
/// <param name="CancelRequested">That it stops.</param>
/// <param name="BandwidthBytesPerSecond">Its limit; null for none.</param>
internal sealed record JobWishes(bool CancelRequested, long? BandwidthBytesPerSecond);
