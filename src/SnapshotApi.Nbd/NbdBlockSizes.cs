namespace SnapshotApi.Nbd;

/// <summary>The server's constraints on requests; each is 0 if the server named none.</summary>
/// <param name="MinimumBytes">Offsets and lengths must be multiples of it.</param>
/// <param name="PreferredBytes">Requests below it cost as much as one of this size.</param>
/// <param name="MaximumBytes">The longest request the server takes.</param>
public readonly record struct NbdBlockSizes(long MinimumBytes, long PreferredBytes, long MaximumBytes);
