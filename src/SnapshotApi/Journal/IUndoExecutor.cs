namespace SnapshotApi.Journal;

/// <summary>Carries out what a journal holds.</summary>
internal interface IUndoExecutor
{
    /// <summary>Undoes one action; returns normally when nothing of it is left, also when there was nothing to do.</summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">It can't be undone now; try again later.</exception>
    Task UndoAsync(UndoAction action, CancellationToken cancellationToken);
}
