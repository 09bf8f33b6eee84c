namespace SnapshotApi.Libvirt;

/// <summary>
/// A block job at work. <paramref name="CurrentPosition"/> equal to <paramref name="EndPosition"/> does not prove that a mirror is
/// ready: a job that has just begun may show 0 and 0. The proof is <see cref="BlockJobStatus.Ready"/>.
/// </summary>
/// <param name="Type">Kind of the job.</param>
/// <param name="BandwidthBytesPerSecond">Limit; 0: none.</param>
/// <param name="CurrentPosition">Done, in units of the job, mostly bytes.</param>
/// <param name="EndPosition">To be done; grows while the guest writes.</param>
public readonly record struct BlockJobInfo(
    BlockJobType Type, ulong BandwidthBytesPerSecond, ulong CurrentPosition, ulong EndPosition);
