namespace SnapshotApi.Images;

/// <summary>One read request of a <see cref="ReadBatch"/>.</summary>
/// <param name="OffsetBytes">Where on the disk.</param>
/// <param name="BufferOffsetBytes">Where in the batch's buffer.</param>
/// <param name="LengthBytes">How much.</param>
internal readonly record struct DiskRead(long OffsetBytes, int BufferOffsetBytes, int LengthBytes);
