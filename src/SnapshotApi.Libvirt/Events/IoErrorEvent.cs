namespace SnapshotApi.Libvirt;

/// <summary>VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON: QEMU met an I/O error.</summary>
/// <param name="DomainUuid">UUID of the domain.</param>
/// <param name="DomainName">Name of the domain.</param>
/// <param name="SourcePath">Path on the host of the disk; may be empty.</param>
/// <param name="DeviceAlias">Alias of the device, for example <c>virtio-disk0</c>.</param>
/// <param name="Action">What QEMU did.</param>
/// <param name="Reason">For example <c>enospc</c>; empty when it is not known.</param>
public sealed record IoErrorEvent(
    Guid DomainUuid, string DomainName, string SourcePath, string DeviceAlias, IoErrorAction Action, string Reason)
    : DomainEvent(DomainUuid, DomainName);
