namespace SnapshotApi.Nbd;

/// <summary>
/// A part of an export with one allocation status. Offsets and lengths are what the guest sees, not what the host stores.
/// Source: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md#baseallocation-metadata-context
/// </summary>
/// <param name="OffsetBytes">Where it starts in the export.</param>
/// <param name="LengthBytes">Its length, at least 1.</param>
/// <param name="Flags">The raw flags of <c>base:allocation</c>: 1 = hole, 2 = reads as zero.</param>
public readonly record struct NbdExtent(long OffsetBytes, long LengthBytes, uint Flags)
{
    private const uint LIBNBD_STATE_HOLE = 1;
    private const uint LIBNBD_STATE_ZERO = 2;

    /// <summary>Nothing is allocated here. Alone it does not promise that the bytes read as zero.</summary>
    public bool IsHole => (Flags & LIBNBD_STATE_HOLE) != 0;

    /// <summary>The bytes read as zero.</summary>
    public bool IsZero => (Flags & LIBNBD_STATE_ZERO) != 0;
}
