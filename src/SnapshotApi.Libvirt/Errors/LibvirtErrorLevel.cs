namespace SnapshotApi.Libvirt;

/// <summary><c>virErrorLevel</c>: how grave an error is.</summary>
public enum LibvirtErrorLevel
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>A warning.</summary>
    Warning = 1,

    /// <summary>An error.</summary>
    Error = 2,
}
