namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainGetJobStatsFlags</c>.</summary>
[Flags]
public enum JobStatsFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Of the job that has ended, once.</summary>
    Completed = 1u << 0,

    /// <summary>With <see cref="Completed"/>: keep them for the next reader. libvirt >= 6.0.0.</summary>
    KeepCompleted = 1u << 1,
}
