namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainEventType</c>.</summary>
public enum LifecycleEventType
{
    /// <summary>A definition was made or changed.</summary>
    Defined = 0,

    /// <summary>The definition was removed.</summary>
    Undefined = 1,

    /// <summary>A process was started; detail: <see cref="LifecycleStartedDetail"/>.</summary>
    Started = 2,

    /// <summary>The CPUs were stopped; detail: <see cref="LifecycleSuspendedDetail"/>.</summary>
    Suspended = 3,

    /// <summary>The CPUs run again.</summary>
    Resumed = 4,

    /// <summary>The process ended; detail: <see cref="LifecycleStoppedDetail"/>.</summary>
    Stopped = 5,

    /// <summary>The guest has shut down; <see cref="Stopped"/> follows. Detail: <see cref="LifecycleShutDownDetail"/>.</summary>
    ShutDown = 6,

    /// <summary>Suspended by the power management of the guest.</summary>
    PmSuspended = 7,

    /// <summary>The guest has panicked.</summary>
    Crashed = 8,
}
