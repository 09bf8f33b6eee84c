namespace SnapshotApi.Images;

/// <summary>Finds zeros. Uses the widest vectors that the processor has; ends at the first byte that is none.</summary>
internal static class ZeroTest
{
    /// <summary>Whether all bytes are zero.</summary>
    public static bool IsZero(ReadOnlySpan<byte> bytes) => !bytes.ContainsAnyExcept((byte)0);
}
