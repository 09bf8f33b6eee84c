namespace SnapshotApi.Api.Contracts;

/// <summary>One disk of a job.</summary>
/// <param name="Target">Device name in the guest, for example <c>vda</c>.</param>
/// <param name="SizeBytes">Size that the guest sees; null before it is known.</param>
/// <param name="AllocatedBytes">Bytes to be handled for it: its data, and what has to be copied first; null before they are known.</param>
/// <param name="BytesDone">Bytes of those handled so far.</param>
/// <param name="Image">The published image; null before that.</param>
internal sealed record JobDiskState(string Target, long? SizeBytes, long? AllocatedBytes, long BytesDone, JobImage? Image);
