using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>The storage pools of the host that the domain is on.</content>
public sealed unsafe partial class LibvirtDomain
{
    /// <summary>Finds a volume that a disk of type <c>volume</c> names.</summary>
    /// <param name="volume">Its name when the pool was last refreshed.</param>
    /// <exception cref="LibvirtException">
    /// <see cref="LibvirtErrorCode.NoStoragePool"/>, <see cref="LibvirtErrorCode.NoStorageVol"/>;
    /// <see cref="LibvirtErrorCode.OperationInvalid"/>: the pool is not active.
    /// </exception>
    public StorageVolume FindVolume(string pool, string volume)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(volume);
        nint connection = virDomainGetConnect(_handle);
        if (connection == nint.Zero)
        {
            throw NativeCheck.LastError(nameof(virDomainGetConnect));
        }

        using StoragePoolHandle poolHandle = NativeCheck.Valid(virStoragePoolLookupByName(connection, pool));

        // Every driver but the test driver fails so by itself.
        if (NativeCheck.NotNegative(virStoragePoolIsActive(poolHandle)) == 0)
        {
            throw new LibvirtException(
                nameof(virStorageVolLookupByName), LibvirtErrorCode.OperationInvalid, LibvirtErrorSource.Storage,
                "the pool is not active");
        }

        using StorageVolumeHandle volumeHandle = NativeCheck.Valid(virStorageVolLookupByName(poolHandle, volume));
        NativeCheck.NotNegative(virStorageVolGetInfo(volumeHandle, out virStorageVolInfo info));
        return new StorageVolume(
            (StorageVolumeType)info.type,
            NativeCheck.OwnedText(virStorageVolGetPath(volumeHandle)));
    }
}

/// <summary>A volume of a storage pool.</summary>
/// <param name="Path">Its file or device; over the network a name that only the hypervisor understands.</param>
public sealed record StorageVolume(StorageVolumeType Type, string Path);

/// <summary><c>virStorageVolType</c>: what a volume is on its host; there are others.</summary>
public enum StorageVolumeType
{
    File = 0,
    Block = 1,
    /// <summary>Reached over the network by the hypervisor itself: RBD, Gluster.</summary>
    Network = 3,
}
