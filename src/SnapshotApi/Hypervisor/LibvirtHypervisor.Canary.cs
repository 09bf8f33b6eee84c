using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>What canaries need beyond the verbs of captures.</summary>
internal sealed partial class LibvirtHypervisor
{
    // Everything of libvirt's that could be left of a guest.
    private const UndefineFlags WithAll = UndefineFlags.ManagedSave | UndefineFlags.SnapshotsMetadata
        | UndefineFlags.Nvram | UndefineFlags.CheckpointsMetadata;

    public Task<HypervisorHost> DescribeHostAsync(CancellationToken cancellationToken) => LookAsync(
        connection => HypervisorHost.Read(connection.GetDomainCapabilitiesXml(), connection.GetCapabilitiesXml()),
        cancellationToken);

    public Task<bool> HasReadAsync(Guid serverId, string target, CancellationToken cancellationToken) => AskQemuAsync(
        serverId, "virDomainBlockStats", domain => domain.GetReadRequests(target) > 0, cancellationToken);

    public Task RemoveAsync(Guid serverId, CancellationToken cancellationToken) =>
        UndoAsync(serverId, "virDomainDestroyFlags", Remove, cancellationToken);

    // A transient one is gone with its process, and one that ended meanwhile has none to end.
    private static void Remove(LibvirtDomain domain)
    {
        bool isPersistent = domain.IsPersistent;
        if (domain.IsActive)
        {
            try
            {
                domain.Destroy();
            }
            catch (LibvirtException e) when (e.Code == LibvirtErrorCode.OperationInvalid)
            {
                // It has ended by itself.
            }
        }

        if (isPersistent)
        {
            domain.Undefine(WithAll);
        }
    }
}
