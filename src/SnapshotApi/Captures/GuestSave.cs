using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Captures;

/// <summary>Saves the memory of a guest, which ends its QEMU, and starts it again as it was.</summary>
internal sealed class GuestSave(IHypervisor hypervisor, StartCheck startCheck, GuestClock clock) : IUndo<ResumeServer>
{
    /// <summary>Saves the memory of a guest after <see cref="RequireReturnAsync"/>.</summary>
    /// <param name="resume">The intent; settled when somebody else saved or stopped the guest.</param>
    /// <param name="cancellationToken">Aborts the save.</param>
    /// <exception cref="SnapshotException">state_conflict, hypervisor_error, timed_out.</exception>
    public Task SaveAsync(Saving saving, JournalEntry resume, JobJournal journal, CancellationToken cancellationToken)
    {
        // At the last moment: with a file that was replaced the guest would go on.
        RequireOpen(saving.Request.Server, saving.Files);
        return IfStillThereAsync(
            saving.Request,
            ManagedSaveAsync(saving, cancellationToken),
            () => journal.Settle(resume),
            cancellationToken);
    }

    private async Task<bool> ManagedSaveAsync(Saving saving, CancellationToken cancellationToken)
    {
        await hypervisor.ManagedSaveAsync(saving.Request.ServerId, saving.State, cancellationToken)
            .ConfigureAwait(false);
        return true;
    }

    /// <summary>Starts the server of a capture that did not finish, and sets its clock later.</summary>
    public async Task UndoAsync(ResumeServer action, CancellationToken cancellationToken)
    {
        if (await StartAsync(action, cancellationToken).ConfigureAwait(false) is { } saved)
        {
            clock.SetLater(saved);
        }
    }

    /// <summary>Starts the server from its saved memory. A save may outlast the service that asked for it.</summary>
    /// <returns>The server as it was saved; null: there was nothing to start.</returns>
    public async Task<ServerDescription?> StartAsync(ResumeServer action, CancellationToken cancellationToken)
    {
        await hypervisor.WaitForSaveEndAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        ServerDescription? now = await hypervisor.PeekAsync(action.ServerId, cancellationToken).ConfigureAwait(false);

        // Shut off without a saved image: somebody has removed that, and wanted to.
        if (now?.PowerState != ServerPowerState.Saved)
        {
            return null;
        }

        await hypervisor.StartAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        return now;
    }

    /// <summary>A guest that was paused meanwhile is saved as paused; any other change ends the job.</summary>
    /// <exception cref="SnapshotException">state_conflict.</exception>
    public async Task<CaptureRequest> RequireAsPreparedAsync(
        CaptureRequest request, QemuFiles? files, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.PeekAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        if (now is not { IsActive: true, IsPersistent: true, PauseObstacle: null })
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"server {request.Server.Name} is not as it was when its capture was prepared: "
                + $"{now?.PauseObstacle ?? "it was stopped or undefined"}; it was not touched");
        }

        FoundServer.RequireSameLayers(request.Server, request.Disks, now);
        RequireOpen(now, files);
        if (!now.Needs.SequenceEqual(request.Server.Needs)
            && await startCheck.FindObstacleAsync(now, cancellationToken).ConfigureAwait(false) is { } obstacle)
        {
            // A medium was inserted, or a device attached.
            throw NotStartable(now, obstacle);
        }

        return request with
        {
            Server = request.Server with { PowerState = now.PowerState, StateReason = now.StateReason },
        };
    }

    /// <summary>A guest that could not be started again is not saved.</summary>
    /// <returns>The files that its QEMU has open; null: it is off, or they are unknown.</returns>
    public async Task<QemuFiles?> RequireReturnAsync(CaptureRequest request, CancellationToken cancellationToken)
    {
        ServerDescription server = request.Server;
        if (!server.IsActive)
        {
            return null;
        }

        string? obstacle = server.SaveObstacle ?? server.PauseObstacle
            ?? await startCheck.FindObstacleAsync(server, cancellationToken).ConfigureAwait(false);
        if (obstacle is not null)
        {
            throw NotStartable(server, obstacle);
        }

        QemuFiles? files = QemuFiles.Find(server);
        RequireOpen(server, files);
        return files;
    }

    private static SnapshotException NotStartable(ServerDescription server, string obstacle) => new(
        SnapshotErrorCode.StateConflict,
        $"server {server.Name} can't be saved and started again: {obstacle}; it was not touched");

    // What QEMU has open must be what it would open again.
    private static void RequireOpen(ServerDescription server, QemuFiles? files)
    {
        if (files is null)
        {
            return;
        }

        IEnumerable<(string What, DiskLayer File)> open =
        [
            .. server.Disks.SelectMany(
                d => d.Layers.Select(l => ($"{(d.IsHardDisk ? "disk" : "medium")} {d.Target}", l))),
            .. server.Needs.Where(n => n.What == DomainNeeds.Nvram)
                .Select(n => (n.What, new DiskLayer("file", n.Name, "raw"))),
        ];
        foreach ((string what, DiskLayer file) in open)
        {
            if (files.Compare(file) is LayerIdentity.Other or LayerIdentity.Gone)
            {
                throw new SnapshotException(
                    SnapshotErrorCode.StateConflict,
                    $"the file of {what} of server {server.Name} is not the one that QEMU has open: "
                    + "it was replaced or removed, and would be lost with QEMU; "
                    + "the server was not saved, and mirror and backup still work");
            }
        }
    }

    /// <summary>Waits for a call that stops the guest, and reports when somebody else was quicker.</summary>
    /// <exception cref="SnapshotException">state_conflict; what the call throws.</exception>
    public async Task<T> IfStillThereAsync<T>(
        CaptureRequest request, Task<T> call, Action onGone, CancellationToken cancellationToken)
    {
        try
        {
            return await call.ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.HypervisorError)
        {
            ServerDescription? now = await hypervisor.PeekAsync(request.ServerId, cancellationToken)
                .ConfigureAwait(false);
            if (now is not { IsActive: false })
            {
                throw;
            }

            onGone();
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"server {request.Server.Name} was saved or stopped by somebody else before its memory could be saved",
                e);
        }
    }

    /// <summary>Refuses what was copied while somebody may have started the guest.</summary>
    /// <exception cref="SnapshotException">state_conflict, hypervisor_unavailable.</exception>
    public async Task RequireStillOffAsync(
        CaptureRequest request, IServerWatch watch, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.PeekAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        if (watch.Started.IsCancellationRequested
            || now is { PowerState: not (ServerPowerState.ShutOff or ServerPowerState.Saved) })
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"server {request.Server.Name} was started by somebody else while its disk was copied");
        }

        // Another tool may have put a layer on a disk right before the save: the image tells, the definition need not.
        if (request.Server.IsActive
            && await hypervisor.FindSavedAsync(request.ServerId, cancellationToken).ConfigureAwait(false) is { } saved)
        {
            FoundServer.RequireSameLayers(request.Server, request.Disks, saved);
        }

        if (watch.HasMissedEvents && request.Disks.Any(d => d.Layers[0].SourceType == "block"))
        {
            throw new SnapshotException(
                SnapshotErrorCode.HypervisorUnavailable,
                $"libvirt was away while a device of server {request.Server.Name} was copied: "
                + "whether it was started meanwhile can't be told");
        }
    }
}

/// <summary>A save of a guest's memory.</summary>
/// <param name="Files">What QEMU has open; null: unknown.</param>
/// <param name="State">How the guest starts again.</param>
internal sealed record Saving(CaptureRequest Request, QemuFiles? Files, SavedState State);
