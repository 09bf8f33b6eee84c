namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainBlockJobType</c>.</summary>
public enum BlockJobType
{
    /// <summary>Unknown.</summary>
    Unknown = 0,

    /// <summary>Pulls backing data into the top layer.</summary>
    Pull = 1,

    /// <summary>Mirrors the disk.</summary>
    Copy = 2,

    /// <summary>Commits a lower layer.</summary>
    Commit = 3,

    /// <summary>Commits the top layer.</summary>
    ActiveCommit = 4,

    /// <summary>Part of a backup job. libvirt >= 6.0.0.</summary>
    Backup = 5,
}
