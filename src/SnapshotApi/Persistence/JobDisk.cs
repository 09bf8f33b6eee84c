using SnapshotApi.Stores;

namespace SnapshotApi.Persistence;

/// <summary>One disk of a job.</summary>
/// <param name="Target">The disk's name, for example <c>vda</c>.</param>
/// <param name="SizeBytes">Size that the guest sees; null before it is known.</param>
/// <param name="AllocatedBytes">Bytes that are to be read; null before they are known.</param>
/// <param name="BytesDone">Bytes of them handled so far.</param>
/// <param name="Image">The published image; null before that.</param>
internal sealed record JobDisk(string Target, long? SizeBytes, long? AllocatedBytes, long BytesDone, StoredImage? Image);
