namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainJobType</c>.</summary>
public enum DomainJobType
{
    /// <summary>No job.</summary>
    None = 0,

    /// <summary>At work, with a known end.</summary>
    Bounded = 1,

    /// <summary>At work, with no known end.</summary>
    Unbounded = 2,

    /// <summary>Ended well.</summary>
    Completed = 3,

    /// <summary>Failed.</summary>
    Failed = 4,

    /// <summary>Cancelled.</summary>
    Cancelled = 5,
}
