namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainBlockJobAbortFlags</c>.</summary>
[Flags]
public enum BlockJobAbortFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Do not wait for the end; an event tells it.</summary>
    Async = 1u << 0,

    /// <summary>Switch the guest to the copy.</summary>
    Pivot = 1u << 1,
}
