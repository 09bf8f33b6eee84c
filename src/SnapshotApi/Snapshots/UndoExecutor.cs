using System.Xml.Linq;
using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Carries out what a journal holds: the only clean-up path of the service, for success, failure, cancellation and restart. Each
/// action is checked against the live guest first, and touches only what is ours.
/// </summary>
internal sealed partial class UndoExecutor(
    IHypervisor hypervisor,
    OwnFiles files,
    QemuImg qemuImg,
    IEnumerable<IImageStore> stores,
    IOptions<NodeOptions> options,
    TimeProvider time,
    ILogger<UndoExecutor> logger) : IUndoExecutor
{
    // A cancelled backup ends within tens of milliseconds; a guest paused for want of space waits for it.
    private static readonly TimeSpan BackupEndPollInterval = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan BackupEndTimeout = TimeSpan.FromSeconds(30);

    // libvirt says yes to an abort also when QEMU has refused it: whoever asks once may wait for ever.
    private static readonly TimeSpan AbortAgainInterval = TimeSpan.FromSeconds(1);

    public async Task UndoAsync(UndoAction action, CancellationToken cancellationToken)
    {
        LogUndoing(action.GetType().Name);
        if (action is GuestUndo guest and not ThawServer)
        {
            // What a run has left in flight on the guest has not had its effect yet: an undo that looked before would find nothing.
            await hypervisor.WaitForChangesAsync(guest.ServerId, cancellationToken).ConfigureAwait(false);
        }

        await (action switch
        {
            ResumeServer resume => ResumeAsync(resume, cancellationToken),
            UnpauseServer unpause => UnpauseAsync(unpause, cancellationToken),
            RedefineServer redefine => RedefineAsync(redefine, cancellationToken),
            ThawServer thaw => ThawAsync(thaw, cancellationToken),
            AbortBlockJob abort => AbortBlockJobAsync(abort, cancellationToken),
            ResumeAfterIoError resume => ResumeAfterIoErrorAsync(resume, cancellationToken),
            EndBackup end => EndBackupAsync(end, cancellationToken),
            DeleteFile delete => files.DeleteAsync(delete.Path),
            EndProcess end => files.EndProcessAsync(end.SocketPath, cancellationToken),
            RemoveInternalSnapshot remove => RemoveInternalSnapshotAsync(remove, cancellationToken),
            DeleteImage delete => DeleteImageAsync(delete, cancellationToken),
            _ => throw new InvalidOperationException($"unknown undo action {action.GetType().Name}"),
        }).ConfigureAwait(false);
    }

    // The save may still be going on when the service that asked for it is gone.
    private async Task ResumeAsync(ResumeServer resume, CancellationToken cancellationToken)
    {
        await hypervisor.WaitForSaveEndAsync(resume.ServerId, cancellationToken).ConfigureAwait(false);
        ServerDescription? server = await hypervisor.FindServerQuietlyAsync(resume.ServerId, cancellationToken).ConfigureAwait(false);

        // Shut off without a saved image: somebody has stopped or removed the saved state; that is what they wanted.
        if (server?.PowerState == ServerPowerState.Saved)
        {
            await hypervisor.StartAsync(resume.ServerId, cancellationToken).ConfigureAwait(false);
        }
    }

    // Only our own stop is undone: a guest that QEMU has paused meanwhile, for an I/O error or a dump, is not ours to let run.
    private async Task UnpauseAsync(UnpauseServer unpause, CancellationToken cancellationToken)
    {
        ServerDescription? server = await FindSettledAsync(unpause.ServerId, cancellationToken).ConfigureAwait(false);
        if (server is { PowerState: ServerPowerState.Paused, StateReason: null or "user" or "unknown" })
        {
            await hypervisor.ResumeAsync(unpause.ServerId, cancellationToken).ConfigureAwait(false);
        }
    }

    // Not persistent, or gone because it was shut down meanwhile: either way its definition comes back, and with it what libvirt keeps beside it.
    private async Task RedefineAsync(RedefineServer redefine, CancellationToken cancellationToken)
    {
        ServerDescription? server = await hypervisor.FindServerQuietlyAsync(redefine.ServerId, cancellationToken).ConfigureAwait(false);
        if (server is not { IsPersistent: true })
        {
            await hypervisor.DefineAsync(redefine.ServerId, redefine.Xml, cancellationToken).ConfigureAwait(false);
        }

        if (redefine.IsAutostart)
        {
            await hypervisor.SetAutostartAsync(redefine.ServerId, isAutostart: true, cancellationToken).ConfigureAwait(false);
        }
    }

    // Nothing to thaw is another answer than an agent that can't be asked now: only a guest without memory has nothing to thaw.
    private async Task ThawAsync(ThawServer thaw, CancellationToken cancellationToken)
    {
        ServerDescription? server = await hypervisor.FindServerQuietlyAsync(thaw.ServerId, cancellationToken).ConfigureAwait(false);
        switch (server?.PowerState)
        {
            case null or ServerPowerState.ShutOff:
                break;
            case ServerPowerState.Running:
                await hypervisor.ThawAsync(thaw.ServerId, options.Value.FreezeTimeout, cancellationToken).ConfigureAwait(false);
                break;
            default:
                throw new SnapshotException(
                    SnapshotErrorCode.StateConflict, $"server {server.Name} does not run: its agent can't be asked to thaw before it does");
        }
    }

    private async Task AbortBlockJobAsync(AbortBlockJob abort, CancellationToken cancellationToken)
    {
        ServerDescription? server = await FindSettledAsync(abort.ServerId, cancellationToken).ConfigureAwait(false);
        if (server?.Disks.FirstOrDefault(d => d.Target == abort.Target)?.MirrorPath == abort.DestinationPath)
        {
            await hypervisor.AbortBlockJobAsync(abort.ServerId, abort.Target, cancellationToken).ConfigureAwait(false);
        }
    }

    // A QEMU that hangs may have our call still before it, sent by a process that is gone: what it is now is not what it will be.
    private async Task<ServerDescription?> FindSettledAsync(Guid serverId, CancellationToken cancellationToken)
    {
        ServerDescription? server = await hypervisor.FindServerAsync(serverId, cancellationToken).ConfigureAwait(false);
        return server is { IsActive: true, NotAnswering: { } why }
            ? throw new SnapshotException(SnapshotErrorCode.HypervisorError, $"server {server.Name} does not answer: {why}")
            : server;
    }

    // Our scratch file was full: QEMU holds the guest's write back, and tries it again as soon as the guest goes on.
    private async Task ResumeAfterIoErrorAsync(ResumeAfterIoError resume, CancellationToken cancellationToken)
    {
        if (resume.WasPausedForIoError)
        {
            return;
        }

        ServerDescription? server = await hypervisor.FindServerQuietlyAsync(resume.ServerId, cancellationToken).ConfigureAwait(false);
        if (server is { PowerState: ServerPowerState.Paused, StateReason: "io_error" })
        {
            LogResumingAfterIoError(resume.ServerId);
            await hypervisor.ResumeAsync(resume.ServerId, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task EndBackupAsync(EndBackup end, CancellationToken cancellationToken)
    {
        if (!await IsAtWorkAsync(end, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        long start = time.GetTimestamp();
        do
        {
            if (time.GetElapsedTime(start) > BackupEndTimeout)
            {
                throw new SnapshotException(SnapshotErrorCode.HypervisorError, "the backup job was aborted, but did not end");
            }

            await AbortBackupAsync(end, cancellationToken).ConfigureAwait(false);
        }
        while (!await EndsAsync(end, cancellationToken).ConfigureAwait(false));
    }

    // It may have ended by itself since it was looked at: then libvirt has no job to abort, and that is what was wanted.
    private async Task AbortBackupAsync(EndBackup end, CancellationToken cancellationToken)
    {
        try
        {
            await hypervisor.AbortDomainJobAsync(end.ServerId, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException) when (!cancellationToken.IsCancellationRequested)
        {
            if (await IsAtWorkAsync(end, cancellationToken).ConfigureAwait(false))
            {
                throw;
            }
        }
    }

    /// <summary>
    /// The abort only asks QEMU to cancel; its jobs end a moment later, or, when an answer of QEMU's was lost, not before libvirt is
    /// asked again.
    /// </summary>
    private async Task<bool> EndsAsync(EndBackup end, CancellationToken cancellationToken)
    {
        long asked = time.GetTimestamp();
        while (await IsAtWorkAsync(end, cancellationToken).ConfigureAwait(false))
        {
            if (time.GetElapsedTime(asked) >= AbortAgainInterval)
            {
                LogAbortingAgain(end.ServerId);
                return false;
            }

            await Task.Delay(BackupEndPollInterval, time, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    private async Task<bool> IsAtWorkAsync(EndBackup end, CancellationToken cancellationToken)
    {
        string? xml = await hypervisor.GetBackupXmlAsync(end.ServerId, cancellationToken).ConfigureAwait(false);
        return xml is not null && (string?)XElement.Parse(xml).Element("server")?.Attribute("socket") == end.SocketPath;
    }

    private async Task RemoveInternalSnapshotAsync(RemoveInternalSnapshot remove, CancellationToken cancellationToken)
    {
        ServerDescription? server = await hypervisor.FindServerQuietlyAsync(remove.ServerId, cancellationToken).ConfigureAwait(false);
        DiskDescription? disk = server?.Disks.FirstOrDefault(d => d.Target == remove.Target);
        if (disk is null)
        {
            return;
        }

        if (server!.PowerState is not (ServerPowerState.ShutOff or ServerPowerState.Saved))
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"an internal snapshot of disk {remove.Target} can be removed only while server {server.Name} is off");
        }

        IReadOnlyList<string> names = await qemuImg.ListInternalSnapshotsAsync(disk.Layers[0], cancellationToken).ConfigureAwait(false);
        if (names.Contains(remove.SnapshotName))
        {
            await qemuImg.DeleteInternalSnapshotAsync(disk.Layers[0], remove.SnapshotName, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task DeleteImageAsync(DeleteImage delete, CancellationToken cancellationToken)
    {
        IImageStore store = stores.FirstOrDefault(s => s.Name == delete.Store)
            ?? throw new SnapshotException(SnapshotErrorCode.StoreFailed, $"store {delete.Store} is not configured any more");
        await store.DeleteAsync(delete.ImageId, cancellationToken).ConfigureAwait(false);
    }

    [LoggerMessage(EventId = 4100, Level = LogLevel.Debug, Message = "Undoing {Action}")]
    private partial void LogUndoing(string action);

    [LoggerMessage(EventId = 4101, Level = LogLevel.Warning,
        Message = "Server {ServerId} was paused because scratch space was full; it goes on now that the backup is ended")]
    private partial void LogResumingAfterIoError(Guid serverId);

    [LoggerMessage(EventId = 4102, Level = LogLevel.Warning, Message = "The backup job on server {ServerId} was aborted and is still there; aborting it again")]
    private partial void LogAbortingAgain(Guid serverId);
}
