namespace SnapshotApi.Libvirt;

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
