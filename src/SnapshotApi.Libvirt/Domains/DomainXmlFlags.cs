namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainXMLFlags</c>: which description of a domain.</summary>
[Flags]
public enum DomainXmlFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>With secrets. Not on a read-only connection.</summary>
    Secure = 1u << 0,

    /// <summary>As it will be at its next start, not as it is now.</summary>
    Inactive = 1u << 1,

    /// <summary>With the CPU expanded.</summary>
    UpdateCpu = 1u << 2,

    /// <summary>Fit for migration to an older libvirt.</summary>
    Migratable = 1u << 3,
}
