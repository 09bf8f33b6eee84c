namespace SnapshotApi.Api.Contracts;

/// <summary>One disk of a job.</summary>
/// <param name="Target">Device name in the guest, for example <c>vda</c>.</param>
/// <param name="SizeBytes">Size that the guest sees; null before it is known.</param>
/// <param name="AllocatedBytes">What the guest's disk holds; null before it was measured.</param>
/// <param name="BytesDone">Bytes done of the phase at work.</param>
/// <param name="BytesTotal">Bytes of that phase: of a copy that precedes the image, of making the image, or of sending it. Null before they are known.</param>
/// <param name="Image">The published image; null before that.</param>
internal sealed record JobDiskState(string Target, long? SizeBytes, long? AllocatedBytes, long BytesDone, long? BytesTotal, JobImage? Image);
