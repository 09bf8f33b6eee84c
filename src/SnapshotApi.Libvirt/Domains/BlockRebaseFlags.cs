namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainBlockRebaseFlags</c>.</summary>
[Flags]
public enum BlockRebaseFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Copy the top layer; the backing chain is shared.</summary>
    Shallow = 1u << 0,

    /// <summary>The destination exists.</summary>
    ReuseExternal = 1u << 1,

    /// <summary>Make the destination raw.</summary>
    CopyRaw = 1u << 2,

    /// <summary>Start a copy to the path given, instead of pulling.</summary>
    Copy = 1u << 3,

    /// <summary>Keep backing names relative.</summary>
    Relative = 1u << 4,

    /// <summary>The destination is a block device.</summary>
    CopyDevice = 1u << 5,

    /// <summary>Bandwidth is in B/s, not MiB/s.</summary>
    BandwidthBytes = 1u << 6,
}
