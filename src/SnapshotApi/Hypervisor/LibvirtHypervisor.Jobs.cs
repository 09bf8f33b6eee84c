using System.Xml.Linq;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>Block jobs and backup jobs.</summary>
internal sealed partial class LibvirtHypervisor
{
    public Task BlockCopyAsync(BlockCopyRequest request, CancellationToken cancellationToken) => OnDomainAsync(
        request.ServerId,
        domain => domain.BlockCopy(
            request.Target,
            new XElement(
                "disk",
                new XAttribute("type", "file"),
                new XElement("driver", new XAttribute("type", "qcow2")),
                new XElement("source", new XAttribute("file", request.DestinationPath))).ToString(),
            BlockCopyFlags.ReuseExternal | BlockCopyFlags.TransientJob | (request.Shallow ? BlockCopyFlags.Shallow : BlockCopyFlags.None),
            (ulong?)request.BandwidthBytesPerSecond),
        cancellationToken);

    public Task BlockRebaseAsync(BlockCopyRequest request, CancellationToken cancellationToken) => OnDomainAsync(
        request.ServerId,
        domain => domain.BlockRebase(
            request.Target,
            request.DestinationPath,
            (ulong)(request.BandwidthBytesPerSecond ?? 0),
            BlockRebaseFlags.Copy | BlockRebaseFlags.ReuseExternal | BlockRebaseFlags.BandwidthBytes
                | (request.Shallow ? BlockRebaseFlags.Shallow : BlockRebaseFlags.None)),
        cancellationToken);

    public Task<BlockJobPosition?> GetBlockJobAsync(Guid serverId, string target, CancellationToken cancellationToken) => OnDomainAsync(
        serverId,
        domain => domain.GetBlockJobInfo(target) is { } info
            ? new BlockJobPosition((long)info.CurrentPosition, (long)info.EndPosition)
            : (BlockJobPosition?)null,
        cancellationToken);

    public Task SetBlockJobSpeedAsync(Guid serverId, string target, long? bandwidthBytesPerSecond, CancellationToken cancellationToken) =>
        OnDomainAsync(serverId, domain => domain.BlockJobSetSpeed(target, (ulong)(bandwidthBytesPerSecond ?? 0)), cancellationToken);

    public Task AbortBlockJobAsync(Guid serverId, string target, CancellationToken cancellationToken) =>
        OnDomainAsync(serverId, domain => domain.BlockJobAbort(target), cancellationToken);

    public Task BeginBackupAsync(Guid serverId, string backupXml, CancellationToken cancellationToken) =>
        OnDomainAsync(serverId, domain => domain.BackupBegin(backupXml), cancellationToken);

    public Task<string?> GetBackupXmlAsync(Guid serverId, CancellationToken cancellationToken) => OnDomainAsync(
        serverId,
        domain =>
        {
            try
            {
                return domain.GetBackupXml();
            }
            catch (LibvirtException e) when (e.Code is LibvirtErrorCode.OperationInvalid)
            {
                // Not even a QEMU process.
                return null;
            }
        },
        cancellationToken);

    public Task AbortDomainJobAsync(Guid serverId, CancellationToken cancellationToken) =>
        OnDomainAsync(serverId, domain => domain.AbortJob(), cancellationToken);
}
