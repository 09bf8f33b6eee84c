using SnapshotApi.Journal;

namespace SnapshotApi.Captures;

/// <summary>A way to obtain a stable view of the disks of a server.</summary>
internal interface ICapture
{
    /// <summary>Which one.</summary>
    CaptureKind Kind { get; }

    /// <summary>
    /// Brings the disks into a stable, readable state. What must be undone on the host is in the journal before it is done; ending
    /// the capture is: dispose what is returned, then let the journal undo.
    /// </summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">It failed; the journal holds what is to be undone.</exception>
    Task<CapturedDisks> BeginAsync(
        CaptureRequest request, JobJournal journal, ICaptureObserver observer, CancellationToken cancellationToken);
}
