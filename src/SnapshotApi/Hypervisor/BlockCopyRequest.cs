namespace SnapshotApi.Hypervisor;

/// <summary>A block copy to be begun.</summary>
/// <param name="ServerId">UUID of the server.</param>
/// <param name="Target">Disk, for example <c>vda</c>.</param>
/// <param name="DestinationPath">Existing qcow2 file.</param>
/// <param name="Shallow">Copy the top layer only; the destination has the same backing chain.</param>
/// <param name="BandwidthBytesPerSecond">Limit; null: none.</param>
internal sealed record BlockCopyRequest(
    Guid ServerId, string Target, string DestinationPath, bool Shallow, long? BandwidthBytesPerSecond);

/// <summary>Position of a block job, in bytes of its own scale. Equality of both is no proof that it is ready.</summary>
internal readonly record struct BlockJobPosition(long CurrentBytes, long EndBytes);
