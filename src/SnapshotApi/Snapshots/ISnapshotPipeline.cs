using SnapshotApi.Journal;

namespace SnapshotApi.Snapshots;

/// <summary>Turns one server's disks into published images.</summary>
internal interface ISnapshotPipeline
{
    /// <summary>
    /// Runs all steps. Returns when the images are published and nothing is left to undo but the images themselves, which
    /// <see cref="JobJournal.SetOutcome"/> settles together with the outcome. On any exception everything that the
    /// journal holds was tried to be undone before it is thrown; what could not be is still in the journal
    /// (<see cref="JobJournal.HasPending"/>).
    /// </summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">The snapshot failed, with its code.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled (user or shutdown).</exception>
    Task RunAsync(SnapshotWork work, JobJournal journal, ISnapshotObserver observer, CancellationToken cancellationToken);
}
