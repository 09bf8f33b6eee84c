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

    // QEMU has up to 32 MiB of L2 cache for each layer of more than 256 GiB: sixteen of them leave three quarters of the limit below.
    private const int LayersAtFullCache = 16;

    private const long AllCachesBytes = 512L << 20;

    // Beside its L2 cache a layer has four clusters of refcounts, 8 MiB at most, its L1 table and its refcount table.
    private const long LayerBytes = 16L << 20;

    /// <summary>
    /// For a read-only qemu-nbd: 2 GiB (its thread stacks count), more for chains of many layers, and no file may grow. Address space, not
    /// memory: 200 empty layers of 300 GiB take 1.7 GiB of it and 0.2 GiB of memory.
    /// </summary>
    public static ChildLimits ReadOnlyServer(int layers) => new((2L << 30) + (LayerBytes * Math.Max(0, layers - LayersAtFullCache)), null, false);

    /// <summary>L2 cache of each layer of a chain, in bytes; null for QEMU's own choice. A disk is read in order: little is enough.</summary>
    public static long? CacheBytesPerLayer(int layers) => layers > LayersAtFullCache ? AllCachesBytes / layers : null;

    /// <summary>For qemu-img convert: 2 GiB, a file no longer than such a disk needs, and a minute of CPU more than its data needs.</summary>
    public static ChildLimits Conversion(long diskBytes, long dataBytes) => new(
        2L << 30, (int)Math.Min(int.MaxValue, 60 + (dataBytes / SlowestBytesPerSecond) + (diskBytes >> 30)), true, diskBytes + (diskBytes / 16) + LongestTablesBytes);
}
