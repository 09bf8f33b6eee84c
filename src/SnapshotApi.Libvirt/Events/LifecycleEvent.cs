namespace SnapshotApi.Libvirt;

/// <summary>
/// VIR_DOMAIN_EVENT_ID_LIFECYCLE: a domain was defined, undefined, started, stopped, suspended or resumed.
/// </summary>
/// <param name="DomainUuid">UUID of the domain.</param>
/// <param name="DomainName">Name of the domain.</param>
/// <param name="Type">What happened.</param>
/// <param name="Detail">Why; one of the <c>Lifecycle...Detail</c> enums, by <paramref name="Type"/>.</param>
public sealed record LifecycleEvent(Guid DomainUuid, string DomainName, LifecycleEventType Type, int Detail)
    : DomainEvent(DomainUuid, DomainName);
