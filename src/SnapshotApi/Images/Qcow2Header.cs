namespace SnapshotApi.Images;

/// <summary>
/// What the header of a qcow2 file claims. It was written by whoever wrote the file, for a guest's disk perhaps by the guest:
/// names are text to compare, never paths to open.
/// </summary>
/// <param name="Version">2 or 3.</param>
/// <param name="VirtualSizeBytes">Size of the disk in it, at least 0.</param>
/// <param name="ClusterBits">9 to 21: clusters of 512 bytes to 2 MiB.</param>
/// <param name="BackingFile">Name of the backing file; null if there is none. May be empty: a claim without a name.</param>
/// <param name="BackingFormat">Format of the backing file; null if it is not named.</param>
/// <param name="DataFile">Name of the external data file; null if it is not named.</param>
/// <param name="IncompatibleFeatures">Feature bits that a reader must know; 0 for version 2.</param>
/// <param name="SnapshotCount">Internal snapshots.</param>
/// <param name="IsEncrypted">The guest's data is encrypted.</param>
internal sealed record Qcow2Header(
    int Version,
    long VirtualSizeBytes,
    int ClusterBits,
    string? BackingFile,
    string? BackingFormat,
    string? DataFile,
    ulong IncompatibleFeatures,
    long SnapshotCount,
    bool IsEncrypted)
{
    /// <summary>The guest's data lies in another file, named or not.</summary>
    public bool HasDataFile => DataFile is not null || (IncompatibleFeatures & Qcow2Format.QCOW2_INCOMPAT_DATA_FILE) != 0;

    /// <summary>Feature bits that no QEMU we know of knows.</summary>
    public ulong UnknownFeatures => IncompatibleFeatures & ~Qcow2Format.QCOW2_INCOMPAT_MASK;
}
