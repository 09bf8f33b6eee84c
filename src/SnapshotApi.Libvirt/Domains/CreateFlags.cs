namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainCreateFlags</c>: how a domain is started.</summary>
[Flags]
public enum CreateFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Leave the CPUs stopped.</summary>
    Paused = 1u << 0,

    /// <summary>Destroy it when this connection closes.</summary>
    AutoDestroy = 1u << 1,

    /// <summary>Read a managed save image without the page cache.</summary>
    BypassCache = 1u << 2,

    /// <summary>Boot afresh and discard a managed save image.</summary>
    ForceBoot = 1u << 3,

    /// <summary>Check the XML against the schema.</summary>
    Validate = 1u << 4,

    /// <summary>Start with NVRAM from its template. libvirt >= 8.1.0.</summary>
    ResetNvram = 1u << 5,
}
