namespace SnapshotApi.Nbd;

/// <summary>The end of one read of an <see cref="NbdReader"/>.</summary>
/// <param name="Tag">The caller's tag of <see cref="NbdReader.Submit"/>.</param>
/// <param name="Error">Null if the bytes are there; else why they are not, and by its type what is left of the connection.</param>
public readonly record struct NbdReadResult(int Tag, NbdException? Error);
