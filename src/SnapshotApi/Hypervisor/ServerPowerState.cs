namespace SnapshotApi.Hypervisor;

/// <summary>Power state of a server, as far as a snapshot cares.</summary>
internal enum ServerPowerState
{
    /// <summary>The guest executes.</summary>
    Running,

    /// <summary>The guest's CPUs are stopped, its memory is held by QEMU.</summary>
    Paused,

    /// <summary>No QEMU process and no managed save image.</summary>
    ShutOff,

    /// <summary>No QEMU process; its memory is in a managed save image that somebody made.</summary>
    Saved,

    /// <summary>The guest sleeps (suspend to RAM), by its own power management; QEMU holds its memory.</summary>
    Suspended,

    /// <summary>Crashed, shutting down, blocked or unknown: a state in which nothing is captured.</summary>
    Other,
}
