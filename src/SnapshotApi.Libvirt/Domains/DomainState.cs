namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainState</c>.</summary>
public enum DomainState
{
    /// <summary>Unknown.</summary>
    NoState = 0,

    /// <summary>Running.</summary>
    Running = 1,

    /// <summary>Blocked on a resource (Xen).</summary>
    Blocked = 2,

    /// <summary>CPUs stopped, memory held. The reason is a <see cref="DomainPausedReason"/>.</summary>
    Paused = 3,

    /// <summary>Being shut down.</summary>
    ShuttingDown = 4,

    /// <summary>No process. The reason is a <see cref="DomainShutOffReason"/>.</summary>
    ShutOff = 5,

    /// <summary>Crashed.</summary>
    Crashed = 6,

    /// <summary>Suspended by the power management of the guest.</summary>
    PmSuspended = 7,
}
