using System.Runtime.InteropServices;
using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>Disks and block jobs. A disk is named by its target, for example <c>vda</c>.</content>
public sealed unsafe partial class LibvirtDomain
{
    /// <summary>Begins to mirror a disk, until <see cref="BlockJobAbort"/>. libvirt >= 1.2.8.</summary>
    /// <param name="destinationXml">A <c>&lt;disk&gt;</c> element with source and driver of the destination.</param>
    /// <param name="bandwidthBytesPerSecond">Limit; null: none.</param>
    public void BlockCopy(
        string disk, string destinationXml, BlockCopyFlags flags = BlockCopyFlags.None,
        ulong? bandwidthBytesPerSecond = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(disk);
        ArgumentNullException.ThrowIfNull(destinationXml);
        virTypedParameter* parameter = stackalloc virTypedParameter[1];
        int count = 0;
        if (bandwidthBytesPerSecond is ulong bandwidth)
        {
            TypedParameters.Set(ref parameter[count++], VIR_DOMAIN_BLOCK_COPY_BANDWIDTH, bandwidth);
        }

        NativeCheck.NotNegative(
            virDomainBlockCopy(_handle, disk, destinationXml, count == 0 ? null : parameter, count, (uint)flags));
    }

    /// <summary>Begins to pull a disk's chain into its top layer, or to mirror it, in transient domains only.</summary>
    /// <param name="basePath">The destination of a copy, else the layer to keep; null: none.</param>
    /// <param name="bandwidth">In MiB/s, or B/s with <see cref="BlockRebaseFlags.BandwidthBytes"/>; 0: none.</param>
    /// <exception cref="OverflowException">The limit does not fit C's <c>unsigned long</c>.</exception>
    public void BlockRebase(string disk, string? basePath, ulong bandwidth, BlockRebaseFlags flags)
    {
        ArgumentException.ThrowIfNullOrEmpty(disk);
        NativeCheck.NotNegative(virDomainBlockRebase(_handle, disk, basePath, ToCULong(bandwidth), (uint)flags));
    }

    /// <summary>The block job on a disk; null: there is none, which does not mean that it ended well.</summary>
    public BlockJobInfo? GetBlockJobInfo(string disk)
    {
        // VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES. libvirt >= 1.2.9.
        const uint BandwidthInBytes = 1;
        ArgumentException.ThrowIfNullOrEmpty(disk);
        int found = NativeCheck.NotNegative(
            virDomainGetBlockJobInfo(_handle, disk, out virDomainBlockJobInfo info, BandwidthInBytes));
        return found == 0 ? null : new BlockJobInfo((BlockJobType)info.type, info.bandwidth.Value, info.cur, info.end);
    }

    /// <summary>Ends the block job on a disk and waits for its end.</summary>
    public void BlockJobAbort(string disk)
    {
        ArgumentException.ThrowIfNullOrEmpty(disk);
        NativeCheck.NotNegative(virDomainBlockJobAbort(_handle, disk, 0));
    }

    /// <summary>Limits the block job on a disk.</summary>
    /// <param name="bandwidthBytesPerSecond">Limit; 0: none.</param>
    /// <exception cref="OverflowException">The limit does not fit C's <c>unsigned long</c>.</exception>
    public void BlockJobSetSpeed(string disk, ulong bandwidthBytesPerSecond)
    {
        // VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES. libvirt >= 1.2.9.
        const uint BandwidthInBytes = 1;
        ArgumentException.ThrowIfNullOrEmpty(disk);
        NativeCheck.NotNegative(
            virDomainBlockJobSetSpeed(_handle, disk, ToCULong(bandwidthBytesPerSecond), BandwidthInBytes));
    }

    public BlockInfo GetBlockInfo(string disk)
    {
        ArgumentException.ThrowIfNullOrEmpty(disk);
        NativeCheck.NotNegative(virDomainGetBlockInfo(_handle, disk, out virDomainBlockInfo info, 0));
        return new BlockInfo(info.capacity, info.allocation, info.physical);
    }

    /// <summary>How often QEMU has read from a disk for the guest since its process began.</summary>
    public long GetReadRequests(string disk)
    {
        ArgumentException.ThrowIfNullOrEmpty(disk);
        NativeCheck.NotNegative(virDomainBlockStats(
            _handle, disk, out virDomainBlockStatsStruct stats, (nuint)sizeof(virDomainBlockStatsStruct)));
        return stats.rd_req;
    }

    private static CULong ToCULong(ulong value) => new(checked((nuint)value));
}

/// <summary><c>virDomainBlockCopyFlags</c>.</summary>
[Flags]
public enum BlockCopyFlags : uint
{
    None = 0,
    /// <summary>Copy the top layer; the backing chain is shared.</summary>
    Shallow = 1u << 0,
    /// <summary>The destination exists and has its size and its backing file.</summary>
    ReuseExternal = 1u << 1,
    /// <summary>The job need not survive a restart: allowed on a persistent domain. libvirt >= 3.5.0.</summary>
    TransientJob = 1u << 2,
}

/// <summary>Sizes of a disk.</summary>
/// <param name="CapacityBytes">Size that the guest sees.</param>
/// <param name="AllocationBytes">In use on the host; of a block device with qcow2: the highest offset in use.</param>
/// <param name="PhysicalBytes">Size of the file or device on the host.</param>
public readonly record struct BlockInfo(ulong CapacityBytes, ulong AllocationBytes, ulong PhysicalBytes);

/// <summary>
/// A block job at work. Equal positions do not prove that a mirror is ready: a job that has just begun may show 0 and
/// 0. The proof is <see cref="BlockJobStatus.Ready"/>.
/// </summary>
/// <param name="BandwidthBytesPerSecond">Limit; 0: none.</param>
/// <param name="CurrentPosition">Done, in units of the job, mostly bytes.</param>
/// <param name="EndPosition">To be done; grows while the guest writes.</param>
public readonly record struct BlockJobInfo(
    BlockJobType Type, ulong BandwidthBytesPerSecond, ulong CurrentPosition, ulong EndPosition);

/// <summary><c>virDomainBlockJobType</c>.</summary>
public enum BlockJobType
{
    Unknown = 0,
    /// <summary>Pulls backing data into the top layer.</summary>
    Pull = 1,
    /// <summary>Mirrors the disk.</summary>
    Copy = 2,
    /// <summary>Commits a lower layer.</summary>
    Commit = 3,
    /// <summary>Commits the top layer.</summary>
    ActiveCommit = 4,
    /// <summary>Part of a backup job. libvirt >= 6.0.0.</summary>
    Backup = 5,
}

/// <summary><c>virDomainBlockRebaseFlags</c>.</summary>
[Flags]
public enum BlockRebaseFlags : uint
{
    None = 0,
    /// <summary>Copy the top layer; the backing chain is shared.</summary>
    Shallow = 1u << 0,
    /// <summary>The destination exists.</summary>
    ReuseExternal = 1u << 1,
    /// <summary>Start a copy to the path given, instead of pulling.</summary>
    Copy = 1u << 3,
    /// <summary>Bandwidth is in B/s, not MiB/s.</summary>
    BandwidthBytes = 1u << 6,
}
