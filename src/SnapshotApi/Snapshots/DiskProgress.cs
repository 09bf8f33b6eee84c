namespace SnapshotApi.Snapshots;

/// <summary>How far one disk is. A copy that precedes the image, making the image, and sending it are phases with bytes of their own.</summary>
/// <param name="Target">The disk.</param>
/// <param name="SizeBytes">Size that the guest sees.</param>
/// <param name="AllocatedBytes">What the guest's disk holds; null before it was measured.</param>
/// <param name="BytesDone">Bytes done of the phase at work.</param>
/// <param name="BytesTotal">Bytes of that phase; null before they are known.</param>
/// <param name="Share">How much of all the work on the disk is done, 0 to 1; never falls while one upload is tried.</param>
/// <param name="Span">How much of all the work the phase is, 0 to 1.</param>
internal sealed record DiskProgress(
    string Target, long SizeBytes, long? AllocatedBytes, long BytesDone, long? BytesTotal, double Share, double Span);
