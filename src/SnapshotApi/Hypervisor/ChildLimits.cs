namespace SnapshotApi.Hypervisor;

/// <summary>Limits under which a child process runs: a guest's disk may be crafted to burn memory or time.</summary>
/// <param name="AddressSpaceBytes">RLIMIT_AS, in bytes.</param>
/// <param name="CpuSeconds">RLIMIT_CPU; null: none, for a process that lives as long as a copy.</param>
/// <param name="MayWriteFiles">False: RLIMIT_FSIZE 0.</param>
internal sealed record ChildLimits(long AddressSpaceBytes, int? CpuSeconds, bool MayWriteFiles)
{
    /// <summary>For metadata operations of qemu-img: 1 GiB, the figure that OpenStack uses, and 30 s of CPU.</summary>
    public static readonly ChildLimits Metadata = new(1L << 30, 30, true);

    /// <summary>For a read-only qemu-nbd: 2 GiB (its thread stacks count), and no file may grow.</summary>
    public static readonly ChildLimits ReadOnlyServer = new(2L << 30, null, false);
}
