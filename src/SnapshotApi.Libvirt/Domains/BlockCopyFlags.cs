namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainBlockCopyFlags</c>.</summary>
[Flags]
public enum BlockCopyFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Copy the top layer; the backing chain is shared.</summary>
    Shallow = 1u << 0,

    /// <summary>The destination exists and has its size and its backing file.</summary>
    ReuseExternal = 1u << 1,

    /// <summary>The job need not survive a restart: allowed on a persistent domain. libvirt >= 3.5.0.</summary>
    TransientJob = 1u << 2,

    /// <summary>The guest's writes wait for both copies: the job converges. libvirt >= 8.0.0.</summary>
    SynchronousWrites = 1u << 3,
}
