namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainShutoffReason</c>.</summary>
public enum DomainShutOffReason
{
    Unknown = 0,

    ShutDown = 1,

    Destroyed = 2,

    Crashed = 3,

    Migrated = 4,

    Saved = 5,

    Failed = 6,

    FromSnapshot = 7,

    Daemon = 8,
}
