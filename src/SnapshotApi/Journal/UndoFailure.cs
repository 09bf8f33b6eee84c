namespace SnapshotApi.Journal;

/// <summary>Something that could not be undone yet.</summary>
/// <param name="Action">What.</param>
/// <param name="Error">Why not.</param>
internal sealed record UndoFailure(UndoAction Action, Exception Error);
