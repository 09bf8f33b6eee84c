namespace SnapshotApi.Libvirt;

/// <summary><c>virConnectDomainEventAgentLifecycleReason</c>.</summary>
public enum AgentStateReason
{
    /// <summary>Unknown.</summary>
    Unknown = 0,

    /// <summary>The domain was started.</summary>
    DomainStarted = 1,

    /// <summary>The channel was opened or closed.</summary>
    Channel = 2,
}
