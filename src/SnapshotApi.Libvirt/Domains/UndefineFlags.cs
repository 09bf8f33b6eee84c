namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainUndefineFlagsValues</c>: what goes with the definition, and what stays.</summary>
[Flags]
public enum UndefineFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Remove the managed save image too.</summary>
    ManagedSave = 1u << 0,

    /// <summary>Forget the snapshots; they stay in the images. Only when inactive.</summary>
    SnapshotsMetadata = 1u << 1,

    /// <summary>Remove the NVRAM file.</summary>
    Nvram = 1u << 2,

    /// <summary>Keep the NVRAM file.</summary>
    KeepNvram = 1u << 3,

    /// <summary>Forget the checkpoints; the bitmaps stay in the images. Only when inactive.</summary>
    CheckpointsMetadata = 1u << 4,

    /// <summary>Remove the TPM state. libvirt >= 8.9.0.</summary>
    Tpm = 1u << 5,

    /// <summary>Keep the TPM state. libvirt >= 8.9.0.</summary>
    KeepTpm = 1u << 6,
}
