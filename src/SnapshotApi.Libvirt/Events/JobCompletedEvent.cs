namespace SnapshotApi.Libvirt;

/// <summary>VIR_DOMAIN_EVENT_ID_JOB_COMPLETED: a domain job (save, backup...) ended.</summary>
/// <param name="DomainUuid">UUID of the domain.</param>
/// <param name="DomainName">Name of the domain.</param>
/// <param name="Stats">Its final numbers.</param>
public sealed record JobCompletedEvent(Guid DomainUuid, string DomainName, DomainJobStats Stats)
    : DomainEvent(DomainUuid, DomainName);
