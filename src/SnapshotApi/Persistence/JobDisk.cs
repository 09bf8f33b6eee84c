using SnapshotApi.Stores;

namespace SnapshotApi.Persistence;

/// <summary>One disk of a job.</summary>
/// <param name="Target">The disk's name, for example <c>vda</c>.</param>
/// <param name="SizeBytes">Size that the guest sees; null before it is known.</param>
/// <param name="AllocatedBytes">What the guest's disk holds; null before it was measured.</param>
/// <param name="BytesDone">Bytes done of the phase at work.</param>
/// <param name="Image">The published image; null before that.</param>
internal sealed record JobDisk(string Target, long? SizeBytes, long? AllocatedBytes, long BytesDone, StoredImage? Image)
{
    /// <summary>Bytes of the phase at work; null before they are known, and in rows of older nodes.</summary>
    public long? BytesTotal { get; init; }

    /// <summary>How much of all the work on the disk is done, 0 to 1; null before anything is, and in rows of older nodes.</summary>
    public double? Share { get; init; }

    /// <summary>How much of all the work the phase is, 0 to 1.</summary>
    public double? Span { get; init; }
}
