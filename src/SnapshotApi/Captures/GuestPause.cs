using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Captures;

/// <summary>Stops the CPUs of a running guest for moments.</summary>
internal sealed class GuestPause(IHypervisor hypervisor, GuestClock clock, TimeProvider time) : IUndo<UnpauseServer>
{
    // A mirror ends within tens of milliseconds, which is not worth a command to the agent.
    private static readonly TimeSpan UnnoticedPause = TimeSpan.FromSeconds(2);

    /// <summary>Journals that the CPUs are to run again; before <see cref="BeginAsync"/>.</summary>
    public JournalEntry Intend(JobJournal journal, Guid serverId) =>
        journal.Add(new UnpauseServer(serverId, time.GetUtcNow()));

    /// <summary>Stops the CPUs. QEMU answers when all writes are flushed (do_vm_stop: bdrv_flush_all).</summary>
    /// <returns>False: somebody else has stopped them already, and is to let them run.</returns>
    /// <exception cref="SnapshotException">hypervisor_error, timed_out.</exception>
    public async Task<bool> BeginAsync(Guid serverId, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.PeekAsync(serverId, cancellationToken).ConfigureAwait(false);
        if (now is { PowerState: ServerPowerState.Paused })
        {
            return false;
        }

        await hypervisor.SuspendAsync(serverId, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Undoes only our own stop; a guest that stood for long has its clock set.</summary>
    public async Task UndoAsync(UnpauseServer action, CancellationToken cancellationToken)
    {
        ServerDescription? server = await FoundServer.FindSettledAsync(hypervisor, action.ServerId, cancellationToken)
            .ConfigureAwait(false);
        if (server is { PowerState: ServerPowerState.Paused, StateReason: null or "user" or "unknown" })
        {
            await hypervisor.ResumeAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
            if (time.GetUtcNow() - action.StoppedAt > UnnoticedPause)
            {
                clock.SetLater(server);
            }
        }
    }
}
