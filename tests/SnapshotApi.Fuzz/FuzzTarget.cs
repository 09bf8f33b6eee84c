namespace SnapshotApi.Fuzz;

/// <summary>Gives a parser one input, and swallows only the exception with which it refuses one.</summary>
/// <param name="input">Any bytes.</param>
public delegate void FuzzTarget(byte[] input);
