using System.Xml.Linq;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>Block jobs and backup jobs.</summary>
internal sealed partial class LibvirtHypervisor
{
    public Task BlockCopyAsync(BlockCopyRequest request, CancellationToken cancellationToken) => ChangeAsync(
        request.ServerId,
        "virDomainBlockCopy",
        domain => domain.BlockCopy(
            request.Target,
            new XElement(
                "disk",
                new XAttribute("type", "file"),
                new XElement("driver", new XAttribute("type", "qcow2")),
                new XElement("source", new XAttribute("file", request.DestinationPath))).ToString(),
            BlockCopyFlags.ReuseExternal | BlockCopyFlags.TransientJob
                | (request.Shallow ? BlockCopyFlags.Shallow : BlockCopyFlags.None),
            (ulong?)request.BandwidthBytesPerSecond),
        cancellationToken);

    public Task BlockRebaseAsync(BlockCopyRequest request, CancellationToken cancellationToken) => ChangeAsync(
        request.ServerId,
        "virDomainBlockRebase",
        domain => domain.BlockRebase(
            request.Target,
            request.DestinationPath,
            (ulong)(request.BandwidthBytesPerSecond ?? 0),
            BlockRebaseFlags.Copy | BlockRebaseFlags.ReuseExternal | BlockRebaseFlags.BandwidthBytes
                | (request.Shallow ? BlockRebaseFlags.Shallow : BlockRebaseFlags.None)),
        cancellationToken);

    public Task<BlockJobPosition?> GetBlockJobAsync(
        Guid serverId, string target, CancellationToken cancellationToken) =>
        AskQemuAsync<BlockJobPosition?>(
            serverId,
            "virDomainGetBlockJobInfo",
            domain => domain.GetBlockJobInfo(target) is { } info
                ? new BlockJobPosition((long)info.CurrentPosition, (long)info.EndPosition)
                : null,
            cancellationToken);

    public Task SetBlockJobSpeedAsync(
        Guid serverId, string target, long? bandwidthBytesPerSecond, CancellationToken cancellationToken)
    {
        ulong limit = (ulong)(bandwidthBytesPerSecond ?? 0);
        return ChangeAsync(
            serverId, "virDomainBlockJobSetSpeed", domain => domain.BlockJobSetSpeed(target, limit), cancellationToken);
    }

    public Task AbortBlockJobAsync(Guid serverId, string target, CancellationToken cancellationToken) =>
        UndoAsync(serverId, "virDomainBlockJobAbort", domain => domain.BlockJobAbort(target), cancellationToken);

    public Task BeginBackupAsync(
        Guid serverId, string backupXml, bool hasFiles, CancellationToken cancellationToken) => ChangeAsync(
        serverId, "virDomainBackupBegin", domain => domain.BackupBegin(backupXml, hasFiles), cancellationToken);

    public async Task<string?> GetBackupXmlAsync(Guid serverId, CancellationToken cancellationToken)
    {
        try
        {
            return await LookAtAsync(serverId, DomainDescriber.BackupXmlOf, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.ServerNotFound)
        {
            // A transient guest is gone with its process, and its backup with it.
            return null;
        }
    }

    public Task AbortDomainJobAsync(Guid serverId, CancellationToken cancellationToken) =>
        UndoAsync(serverId, "virDomainAbortJob", domain => domain.AbortJob(), cancellationToken);
}
