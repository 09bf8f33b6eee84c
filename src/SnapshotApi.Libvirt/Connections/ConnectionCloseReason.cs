namespace SnapshotApi.Libvirt;

/// <summary><c>virConnectCloseReason</c>: why a connection ended.</summary>
public enum ConnectionCloseReason
{
    /// <summary>An I/O error.</summary>
    Error = 0,

    /// <summary>The daemon closed it, or died.</summary>
    EndOfFile = 1,

    /// <summary>The daemon did not answer probes.</summary>
    KeepAlive = 2,

    /// <summary>This process closed it.</summary>
    Client = 3,
}
