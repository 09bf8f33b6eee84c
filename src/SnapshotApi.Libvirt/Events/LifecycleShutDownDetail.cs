namespace SnapshotApi.Libvirt;

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
