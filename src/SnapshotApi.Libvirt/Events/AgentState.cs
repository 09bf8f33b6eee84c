namespace SnapshotApi.Libvirt;

/// <summary><c>virConnectDomainEventAgentLifecycleState</c>.</summary>
public enum AgentState
{
    /// <summary>The agent has opened its channel.</summary>
    Connected = 1,

    /// <summary>It has closed it.</summary>
    Disconnected = 2,
}
