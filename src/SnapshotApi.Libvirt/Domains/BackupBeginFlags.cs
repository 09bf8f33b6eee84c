namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainBackupBeginFlags</c>.</summary>
[Flags]
public enum BackupBeginFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>The scratch or target files exist.</summary>
    ReuseExternal = 1u << 0,
}
