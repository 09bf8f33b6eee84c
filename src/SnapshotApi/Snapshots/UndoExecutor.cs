using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Carries out what a journal holds: the only clean-up path of the service, for success, failure, cancellation and
/// restart. Each action is undone by the class that journalled it, which checks it against the live guest first and
/// touches only what is ours.
/// </summary>
internal sealed partial class UndoExecutor(
    IHypervisor hypervisor, IEnumerable<UndoHandler> handlers, ILogger<UndoExecutor> logger) : IUndoExecutor
{
    private readonly Dictionary<Type, UndoHandler> _handlers = handlers.ToDictionary(h => h.Action);

    public async Task UndoAsync(UndoAction action, CancellationToken cancellationToken)
    {
        LogUndoing(action.GetType().Name);
        if (action is GuestUndo guest and not ThawServer)
        {
            // A call in flight has not had its effect yet: an undo that looked now would find nothing.
            await hypervisor.WaitForChangesAsync(guest.ServerId, cancellationToken).ConfigureAwait(false);
        }

        await _handlers[action.GetType()].UndoAsync(action, cancellationToken).ConfigureAwait(false);
    }

    [LoggerMessage(EventId = 4100, Level = LogLevel.Debug, Message = "Undoing {Action}")]
    private partial void LogUndoing(string action);
}
