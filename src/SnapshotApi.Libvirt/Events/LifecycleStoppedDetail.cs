namespace SnapshotApi.Libvirt;

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
