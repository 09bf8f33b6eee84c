namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainControlState</c>.</summary>
public enum DomainControlState
{
    /// <summary>A command can be sent.</summary>
    Ok = 0,

    /// <summary>A job of libvirt's is at work on the domain: others wait for it.</summary>
    Job = 1,

    /// <summary>A command was sent and not answered yet.</summary>
    Occupied = 2,

    /// <summary>The channel is broken.</summary>
    Error = 3,
}
