namespace SnapshotApi.Hypervisor;

/// <summary>Limits under which a child process runs: a guest's disk may be crafted to burn memory or time.</summary>
/// <param name="AddressSpaceBytes">RLIMIT_AS, in bytes.</param>
/// <param name="CpuSeconds">RLIMIT_CPU; null: none, for a process that lives as long as a copy.</param>
/// <param name="MayWriteFiles">False: RLIMIT_FSIZE 0.</param>
/// <param name="FileSizeBytes">RLIMIT_FSIZE; null: none.</param>
internal sealed record ChildLimits(long AddressSpaceBytes, int? CpuSeconds, bool MayWriteFiles, long? FileSizeBytes = null)
{
    // An image is never much longer than its disk: tables are an eighth of a percent, vhdx's log and regions a few MiB.
    private const long LongestTablesBytes = 256L << 20;

    // What a slow processor converts in a second, several times over.
    private const long SlowestBytesPerSecond = 4L << 20;

    /// <summary>For metadata operations of qemu-img: 1 GiB, the figure that OpenStack uses, and 30 s of CPU.</summary>
    public static readonly ChildLimits Metadata = new(1L << 30, 30, true);

    /// <summary>For a read-only qemu-nbd: 2 GiB (its thread stacks count), and no file may grow.</summary>
    public static readonly ChildLimits ReadOnlyServer = new(2L << 30, null, false);

    /// <summary>For qemu-img convert: 2 GiB, a file no longer than such a disk needs, and a minute of CPU more than its data needs.</summary>
    public static ChildLimits Conversion(long diskBytes, long dataBytes) => new(
        2L << 30, (int)Math.Min(int.MaxValue, 60 + (dataBytes / SlowestBytesPerSecond) + (diskBytes >> 30)), true, diskBytes + (diskBytes / 16) + LongestTablesBytes);
}
