namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainEventStartedDetailType</c>.</summary>
public enum LifecycleStartedDetail
{
    Booted = 0,

    Migrated = 1,

    Restored = 2,

    FromSnapshot = 3,

    WakeUp = 4,
}
