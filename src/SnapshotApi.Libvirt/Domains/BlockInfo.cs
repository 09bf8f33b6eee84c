namespace SnapshotApi.Libvirt;

/// <summary>Sizes of a disk.</summary>
/// <param name="CapacityBytes">Size that the guest sees.</param>
/// <param name="AllocationBytes">Bytes in use on the host; of a block device with qcow2: the highest offset in use.</param>
/// <param name="PhysicalBytes">Size of the file or device on the host.</param>
public readonly record struct BlockInfo(ulong CapacityBytes, ulong AllocationBytes, ulong PhysicalBytes);
