namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainDestroyFlagsValues</c>.</summary>
[Flags]
public enum DestroyFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Send SIGTERM only; fail rather than kill.</summary>
    Graceful = 1u << 0,

    /// <summary>Remove the log of the domain. libvirt >= 8.3.0.</summary>
    RemoveLogs = 1u << 1,
}
