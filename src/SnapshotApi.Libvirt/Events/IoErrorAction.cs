namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainEventIOErrorAction</c>: what QEMU did about an I/O error.</summary>
public enum IoErrorAction
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Paused the guest.</summary>
    Pause = 1,

    /// <summary>Told the guest.</summary>
    Report = 2,
}
