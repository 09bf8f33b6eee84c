using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>The storage pools of the host that the domain is on.</content>
public sealed unsafe partial class LibvirtDomain
{
    /// <summary>Finds a volume that a disk of type <c>volume</c> names.</summary>
    /// <param name="pool">Name of the pool.</param>
    /// <param name="volume">Name of the volume in it, as it was when the pool was last refreshed.</param>
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

        using StoragePoolHandle poolHandle = NativeCheck.Valid(virStoragePoolLookupByName(connection, pool), nameof(virStoragePoolLookupByName));

        // Looking up a volume of a pool that is not active fails with this code in every driver but the test driver.
        if (NativeCheck.NotNegative(virStoragePoolIsActive(poolHandle), nameof(virStoragePoolIsActive)) == 0)
        {
            throw new LibvirtException(
                nameof(virStorageVolLookupByName), LibvirtErrorCode.OperationInvalid, LibvirtErrorSource.Storage, "the pool is not active", LibvirtErrorLevel.Error);
        }

        using StorageVolumeHandle volumeHandle = NativeCheck.Valid(virStorageVolLookupByName(poolHandle, volume), nameof(virStorageVolLookupByName));
        NativeCheck.NotNegative(virStorageVolGetInfo(volumeHandle, out virStorageVolInfo info), nameof(virStorageVolGetInfo));
        return new StorageVolume((StorageVolumeType)info.type, NativeCheck.OwnedText(virStorageVolGetPath(volumeHandle), nameof(virStorageVolGetPath)));
    }
}

/// <summary>A volume of a storage pool.</summary>
/// <param name="Type">What it is on the host.</param>
/// <param name="Path">Its file or device; for a volume over the network a name that only the hypervisor understands.</param>
public sealed record StorageVolume(StorageVolumeType Type, string Path);

/// <summary><c>virStorageVolType</c>: what a volume of a pool is on its host.</summary>
public enum StorageVolumeType
{
    /// <summary>A regular file.</summary>
    File = 0,

    /// <summary>A block device.</summary>
    Block = 1,

    /// <summary>A directory.</summary>
    Dir = 2,

    /// <summary>Reached over the network by the hypervisor itself: RBD, Gluster.</summary>
    Network = 3,

    /// <summary>A directory over the network.</summary>
    NetDir = 4,

    /// <summary>A ploop image.</summary>
    Ploop = 5,
}
