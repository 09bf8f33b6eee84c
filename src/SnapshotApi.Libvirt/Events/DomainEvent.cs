namespace SnapshotApi.Libvirt;

/// <summary>An event of a domain. It names the domain and holds no handle.</summary>
/// <param name="DomainUuid">UUID of the domain.</param>
/// <param name="DomainName">Name of the domain.</param>
public abstract record DomainEvent(Guid DomainUuid, string DomainName);
