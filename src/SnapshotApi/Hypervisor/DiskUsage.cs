namespace SnapshotApi.Hypervisor;

/// <summary>Size of a disk.</summary>
/// <param name="VirtualSizeBytes">What the guest sees.</param>
/// <param name="AllocationBytes">What its top layer occupies on the host.</param>
internal readonly record struct DiskUsage(long VirtualSizeBytes, long AllocationBytes);
