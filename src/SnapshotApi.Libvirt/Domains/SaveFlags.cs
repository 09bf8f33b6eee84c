namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainSaveRestoreFlags</c>, as far as managed save takes them.</summary>
[Flags]
public enum SaveFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Write the image without the page cache.</summary>
    BypassCache = 1u << 0,

    /// <summary>Start it running next time, whatever it is now.</summary>
    Running = 1u << 1,

    /// <summary>Start it paused next time, whatever it is now.</summary>
    Paused = 1u << 2,
}
