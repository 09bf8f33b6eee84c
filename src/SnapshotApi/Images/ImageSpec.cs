namespace SnapshotApi.Images;

/// <summary>What kind of file a disk is to become.</summary>
/// <param name="Format">Format of the file.</param>
/// <param name="Compression">Of qcow2's clusters; with compression clusters of zeros are always left out.</param>
/// <param name="CompressionLevel">zstd 1 to 19, zlib 1 to 9; null: <see cref="ClusterCompressors.DefaultLevel"/>.</param>
/// <param name="Sparsify">Whether zeros that are allocated are left out.</param>
internal sealed record ImageSpec(
    ImageFormat Format,
    Compression Compression = Compression.None,
    int? CompressionLevel = null,
    Sparsify Sparsify = Sparsify.Never);
