namespace SnapshotApi.Libvirt;

/// <summary>A volume of a storage pool.</summary>
/// <param name="Type">What it is on the host.</param>
/// <param name="Path">Its file or device; for a volume over the network a name that only the hypervisor understands.</param>
public sealed record StorageVolume(StorageVolumeType Type, string Path);
