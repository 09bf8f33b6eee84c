namespace SnapshotApi.Libvirt;

/// <summary><c>virConnectDomainEventBlockJobStatus</c>.</summary>
public enum BlockJobStatus
{
    /// <summary>Ended well; for a copy: pivoted.</summary>
    Completed = 0,

    /// <summary>Failed.</summary>
    Failed = 1,

    /// <summary>Aborted.</summary>
    Canceled = 2,

    /// <summary>A mirror has caught up and stays in step; it waits for the abort.</summary>
    Ready = 3,
}
