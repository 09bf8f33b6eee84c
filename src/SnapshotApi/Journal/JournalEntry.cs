namespace SnapshotApi.Journal;

/// <summary>One intent in a journal: what to undo, and whether that is settled.</summary>
internal sealed class JournalEntry(long sequence, UndoAction action)
{
    /// <summary>Its place in the journal.</summary>
    public long Sequence { get; } = sequence;

    /// <summary>What must be undone.</summary>
    public UndoAction Action { get; } = action;

    /// <summary>It was undone, or there is nothing to undo any more.</summary>
    public bool IsSettled { get; internal set; }

    /// <summary>It is meant to stay if the job succeeds.</summary>
    public bool IsKept { get; internal set; }
}
