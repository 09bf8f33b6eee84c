namespace SnapshotApi.Libvirt;

/// <summary>VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE: the agent in the guest came or went.</summary>
/// <param name="DomainUuid">UUID of the domain.</param>
/// <param name="DomainName">Name of the domain.</param>
/// <param name="State">Connected or not.</param>
/// <param name="Reason">Why.</param>
public sealed record AgentLifecycleEvent(Guid DomainUuid, string DomainName, AgentState State, AgentStateReason Reason)
    : DomainEvent(DomainUuid, DomainName);
