namespace SnapshotApi.Hypervisor;

/// <summary>What qemu-img says of an image.</summary>
/// <param name="VirtualSizeBytes">Size of the disk in it.</param>
/// <param name="HasBackingFile">It refers to another file for what it does not hold.</param>
internal sealed record QemuImageInfo(long VirtualSizeBytes, bool HasBackingFile);
