namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainDefineFlags</c>.</summary>
[Flags]
public enum DefineFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Check the XML against the schema.</summary>
    Validate = 1u << 0,
}
