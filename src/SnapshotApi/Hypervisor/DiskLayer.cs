namespace SnapshotApi.Hypervisor;

/// <summary>One layer of a disk's chain.</summary>
/// <param name="SourceType"><c>file</c>, <c>block</c>, <c>network</c>; <c>volume</c> while its pool does not say which.</param>
/// <param name="Path">File or device on the host; null for a network source. Never shown to the API's user.</param>
/// <param name="Format">Format that the domain XML names; null when it names none.</param>
internal sealed record DiskLayer(string SourceType, string? Path, string? Format)
{
    /// <summary>The volume of a storage pool that the definition names; null when it names none, or the pool has told its path.</summary>
    public PoolVolume? Volume { get; init; }

    /// <summary>Why there is no path, as the end of a sentence about the disk; null when there is one, or the type says it all.</summary>
    public string? PathObstacle { get; init; }

    /// <summary>The same with an empty text where a path of the host was.</summary>
    public DiskLayer WithoutPath() => this with { Path = Path is null ? null : string.Empty, Volume = null };
}

/// <summary>A volume as a definition names it.</summary>
/// <param name="Pool">Name of the storage pool.</param>
/// <param name="Name">Name of the volume in the pool.</param>
/// <param name="IsDirect">QEMU reaches it over the network by itself (<c>mode='direct'</c> of an iSCSI pool), not through a device of the host.</param>
internal sealed record PoolVolume(string Pool, string Name, bool IsDirect);
