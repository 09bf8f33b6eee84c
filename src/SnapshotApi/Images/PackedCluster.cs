namespace SnapshotApi.Images;

/// <summary>One cluster of a <see cref="PackJob"/> that is not zero.</summary>
/// <param name="Cluster">Which of the disk.</param>
/// <param name="BufferOffset">Where its bytes are in the batch's buffer.</param>
/// <param name="Length">How many; only the disk's last cluster may be a partial one.</param>
/// <param name="OutputOffset">Where its compressed form is in the job's output.</param>
/// <param name="CompressedLength">Length of the compressed form; 0: it does not shrink, or nothing is compressed.</param>
internal readonly record struct PackedCluster(long Cluster, int BufferOffset, int Length, int OutputOffset, int CompressedLength);
