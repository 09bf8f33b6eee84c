namespace SnapshotApi.Libvirt;

/// <summary>A file system that is mounted in the guest.</summary>
/// <param name="MountPoint">Path in the guest.</param>
/// <param name="DeviceName">Name of the device in the guest.</param>
/// <param name="Type">For example <c>ext4</c>.</param>
/// <param name="DiskTargets">Disks it lies on, for example <c>vda</c>.</param>
public sealed record GuestFileSystem(string MountPoint, string DeviceName, string Type, IReadOnlyList<string> DiskTargets);
