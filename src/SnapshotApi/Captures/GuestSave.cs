using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Captures;

/// <summary>
/// Saves the memory of a guest, which ends its QEMU, and starts it again as it was: what the two captures that need a guest to be off have in common.
/// </summary>
internal sealed class GuestSave(IHypervisor hypervisor, StartCheck startCheck) : IUndo<ResumeServer>
{
    /// <summary>Saves the memory of a guest that was found <see cref="RequireReturnAsync">able to return</see>.</summary>
    /// <param name="request">The capture.</param>
    /// <param name="saved">How the guest starts again.</param>
    /// <param name="resume">The intent, journalled already; settled when the guest was saved or stopped by somebody else: it is his to start then.</param>
    /// <param name="journal">Holds the intent.</param>
    /// <param name="cancellationToken">Aborts the save.</param>
    /// <exception cref="SnapshotException">state_conflict: somebody else was quicker; hypervisor_error, timed_out.</exception>
    public Task SaveAsync(CaptureRequest request, SavedState saved, JournalEntry resume, JobJournal journal, CancellationToken cancellationToken) =>
        IfStillThereAsync(
            request, hypervisor.ManagedSaveAsync(request.ServerId, saved, cancellationToken), () => journal.Settle(resume), cancellationToken);

    /// <summary>Starts the server from its saved memory. The save may still be going on when the service that asked for it is gone.</summary>
    public async Task UndoAsync(ResumeServer action, CancellationToken cancellationToken)
    {
        await hypervisor.WaitForSaveEndAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        ServerDescription? server = await hypervisor.FindServerQuietlyAsync(action.ServerId, cancellationToken).ConfigureAwait(false);

        // Shut off without a saved image: somebody has stopped or removed the saved state; that is what they wanted.
        if (server?.PowerState == ServerPowerState.Saved)
        {
            await hypervisor.StartAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Preparing takes seconds: a guest that somebody has paused meanwhile is saved as paused, and any other change ends the job.</summary>
    public async Task<CaptureRequest> RequireAsPreparedAsync(CaptureRequest request, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.FindServerQuietlyAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        if (now is not { IsActive: true, IsPersistent: true, PauseObstacle: null })
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"server {request.Server.Name} is not as it was when its capture was prepared: {now?.PauseObstacle ?? "it was stopped or undefined"}; it was not touched");
        }

        return request with { Server = request.Server with { PowerState = now.PowerState, StateReason = now.StateReason } };
    }

    /// <summary>A guest that could not be started again is not saved.</summary>
    /// <returns>The files that its QEMU has open; null when it is off, or can't be told.</returns>
    public async Task<QemuFiles?> RequireReturnAsync(CaptureRequest request, CancellationToken cancellationToken)
    {
        ServerDescription server = request.Server;
        if (!server.IsActive)
        {
            return null;
        }

        string? obstacle = server.SaveObstacle ?? server.PauseObstacle ?? await startCheck.FindObstacleAsync(server, cancellationToken).ConfigureAwait(false);
        if (obstacle is not null)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"server {server.Name} can't be saved and started again: {obstacle}; it was not touched");
        }

        QemuFiles? files = QemuFiles.Find(server);
        foreach (DiskDescription disk in server.Disks.Where(d => files is not null && d.IsHardDisk))
        {
            foreach (DiskLayer layer in disk.Layers)
            {
                if (files!.Compare(layer) is LayerIdentity.Other or LayerIdentity.Gone)
                {
                    throw new SnapshotException(
                        SnapshotErrorCode.StateConflict,
                        $"the file of disk {disk.Target} of server {server.Name} is not the one that QEMU has open: it was replaced or removed, "
                        + "and would be lost with QEMU; the server was not touched, and mirror and backup still work");
                }
            }
        }

        return files;
    }

    /// <summary>Waits for a call that stops the guest, and says so when somebody else was quicker.</summary>
    /// <exception cref="SnapshotException">state_conflict; what the call throws.</exception>
    public async Task IfStillThereAsync(CaptureRequest request, Task call, Action onGone, CancellationToken cancellationToken)
    {
        try
        {
            await call.ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.HypervisorError)
        {
            ServerDescription? now = await hypervisor.FindServerQuietlyAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
            if (now is not { IsActive: false })
            {
                throw;
            }

            onGone();
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"server {request.Server.Name} was saved or stopped by somebody else before its memory could be saved", e);
        }
    }

    /// <summary>Refuses what was copied while somebody may have started the guest.</summary>
    /// <exception cref="SnapshotException">
    /// state_conflict; hypervisor_unavailable: events were lost with their connection, and on a device no lock of QEMU's kept others from writing.
    /// </exception>
    public async Task RequireStillOffAsync(CaptureRequest request, IServerWatch watch, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.FindServerQuietlyAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        if (watch.Started.IsCancellationRequested || now is { PowerState: not (ServerPowerState.ShutOff or ServerPowerState.Saved) })
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"server {request.Server.Name} was started by somebody else while its disk was copied");
        }

        if (watch.HasMissedEvents && request.Disks.Any(d => d.Layers[0].SourceType == "block"))
        {
            throw new SnapshotException(
                SnapshotErrorCode.HypervisorUnavailable,
                $"libvirt was away while a device of server {request.Server.Name} was copied: whether it was started meanwhile can't be told");
        }
    }
}
