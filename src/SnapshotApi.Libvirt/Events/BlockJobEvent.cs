namespace SnapshotApi.Libvirt;

/// <summary>VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2: a block job became ready or ended.</summary>
/// <param name="DomainUuid">UUID of the domain.</param>
/// <param name="DomainName">Name of the domain.</param>
/// <param name="Disk">Target of the disk, for example <c>vda</c>.</param>
/// <param name="Type">Kind of the job.</param>
/// <param name="Status">What became of it.</param>
public sealed record BlockJobEvent(Guid DomainUuid, string DomainName, string Disk, BlockJobType Type, BlockJobStatus Status)
    : DomainEvent(DomainUuid, DomainName);
