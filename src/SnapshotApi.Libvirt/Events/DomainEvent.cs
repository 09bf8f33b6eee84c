namespace SnapshotApi.Libvirt;

/// <summary>An event of a domain. It names the domain and holds no handle.</summary>
public abstract record DomainEvent(Guid DomainUuid, string DomainName);

/// <summary>VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE: the agent in the guest came or went.</summary>
public sealed record AgentLifecycleEvent(Guid DomainUuid, string DomainName, AgentState State)
    : DomainEvent(DomainUuid, DomainName);

/// <summary><c>virConnectDomainEventAgentLifecycleState</c>.</summary>
public enum AgentState
{
    Connected = 1,
    Disconnected = 2,
}

/// <summary>VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2: a block job became ready or ended.</summary>
/// <param name="Disk">Target of the disk, for example <c>vda</c>.</param>
public sealed record BlockJobEvent(
    Guid DomainUuid, string DomainName, string Disk, BlockJobType Type, BlockJobStatus Status)
    : DomainEvent(DomainUuid, DomainName);

/// <summary><c>virConnectDomainEventBlockJobStatus</c>.</summary>
public enum BlockJobStatus
{
    /// <summary>Ended well; for a copy: pivoted.</summary>
    Completed = 0,
    Failed = 1,
    /// <summary>Aborted.</summary>
    Canceled = 2,
    /// <summary>A mirror has caught up and stays in step until it is aborted.</summary>
    Ready = 3,
}

/// <summary><c>virDomainEventIOErrorAction</c>: what QEMU did about an I/O error.</summary>
public enum IoErrorAction
{
    None = 0,
    /// <summary>Paused the guest.</summary>
    Pause = 1,
    /// <summary>Told the guest.</summary>
    Report = 2,
}

/// <summary>VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON: QEMU met an I/O error.</summary>
/// <param name="SourcePath">Path on the host of the disk; may be empty.</param>
/// <param name="DeviceAlias">Alias of the device, for example <c>virtio-disk0</c>.</param>
/// <param name="Reason">For example <c>enospc</c>; empty when it is not known.</param>
public sealed record IoErrorEvent(
    Guid DomainUuid, string DomainName, string SourcePath, string DeviceAlias, IoErrorAction Action, string Reason)
    : DomainEvent(DomainUuid, DomainName);

/// <summary>VIR_DOMAIN_EVENT_ID_LIFECYCLE: a domain changed its state or definition.</summary>
/// <param name="Detail">Why; one of the <c>Lifecycle...Detail</c> enums, by <paramref name="Type"/>.</param>
public sealed record LifecycleEvent(Guid DomainUuid, string DomainName, LifecycleEventType Type, int Detail)
    : DomainEvent(DomainUuid, DomainName);

/// <summary><c>virDomainEventType</c>.</summary>
public enum LifecycleEventType
{
    /// <summary>A definition was made or changed.</summary>
    Defined = 0,
    Undefined = 1,
    /// <summary>A process was started; detail: <see cref="LifecycleStartedDetail"/>.</summary>
    Started = 2,
    /// <summary>The CPUs were stopped; detail: <see cref="LifecycleSuspendedDetail"/>.</summary>
    Suspended = 3,
    Resumed = 4,
    /// <summary>The process ended; detail: <see cref="LifecycleStoppedDetail"/>.</summary>
    Stopped = 5,
    /// <summary>The guest has shut down; <see cref="Stopped"/> follows.</summary>
    ShutDown = 6,
    /// <summary>Suspended by the power management of the guest.</summary>
    PmSuspended = 7,
    /// <summary>The guest has panicked.</summary>
    Crashed = 8,
}

/// <summary><c>virDomainEventShutdownDetailType</c>.</summary>
public enum LifecycleShutDownDetail
{
    /// <summary>By whom is not known.</summary>
    Finished = 0,
    /// <summary>The guest did.</summary>
    Guest = 1,
    /// <summary>Its process was told to end by a signal.</summary>
    Host = 2,
}

/// <summary><c>virDomainEventStartedDetailType</c>.</summary>
public enum LifecycleStartedDetail
{
    Booted = 0,
    Migrated = 1,
    Restored = 2,
    FromSnapshot = 3,
    WakeUp = 4,
}

/// <summary><c>virDomainEventStoppedDetailType</c>.</summary>
public enum LifecycleStoppedDetail
{
    ShutDown = 0,
    Destroyed = 1,
    Crashed = 2,
    Migrated = 3,
    Saved = 4,
    Failed = 5,
    FromSnapshot = 6,
}

/// <summary><c>virDomainEventSuspendedDetailType</c>.</summary>
public enum LifecycleSuspendedDetail
{
    Paused = 0,
    Migrated = 1,
    IoError = 2,
    Watchdog = 3,
    Restored = 4,
    FromSnapshot = 5,
    ApiError = 6,
    PostCopy = 7,
    PostCopyFailed = 8,
}
