namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainModificationImpact</c>: which description is meant.</summary>
[Flags]
public enum MetadataFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>That of the running domain.</summary>
    Live = 1u << 0,

    /// <summary>That of its next start.</summary>
    Config = 1u << 1,
}
