namespace SnapshotApi.Libvirt;

/// <summary><c>virConnectListAllDomainsFlags</c>: filters; those of one pair are alternatives, none of a pair means both.</summary>
[Flags]
public enum ListDomainsFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Those with a process.</summary>
    Active = 1u << 0,

    /// <summary>Those without.</summary>
    Inactive = 1u << 1,

    /// <summary>Those with a definition.</summary>
    Persistent = 1u << 2,

    /// <summary>Those that are gone when they stop.</summary>
    Transient = 1u << 3,

    /// <summary>Running.</summary>
    Running = 1u << 4,

    /// <summary>Paused.</summary>
    Paused = 1u << 5,

    /// <summary>Shut off.</summary>
    ShutOff = 1u << 6,

    /// <summary>In any other state.</summary>
    Other = 1u << 7,

    /// <summary>With a managed save image.</summary>
    ManagedSave = 1u << 8,

    /// <summary>Without one.</summary>
    NoManagedSave = 1u << 9,
}
