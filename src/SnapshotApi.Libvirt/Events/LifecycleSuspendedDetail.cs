namespace SnapshotApi.Libvirt;

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
