namespace SnapshotApi.Hypervisor;

/// <summary>What qemu-img is to make of a disk.</summary>
/// <param name="Path">The file, empty, in a private directory.</param>
/// <param name="Format">QEMU's name of the format.</param>
/// <param name="DiskBytes">Size of the disk.</param>
/// <param name="DataBytes">How much of it is data.</param>
/// <param name="BytesPerSecond">Limit; null: none.</param>
internal sealed record Conversion(string Path, string Format, long DiskBytes, long DataBytes, long? BytesPerSecond);
