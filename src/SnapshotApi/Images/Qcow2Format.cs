namespace SnapshotApi.Images;

/// <summary>
/// Numbers of the qcow2 format, named as in its specification.
/// Source: https://gitlab.com/qemu-project/qemu/-/blob/v7.2.0/docs/interop/qcow2.txt
/// </summary>
internal static class Qcow2Format
{
    /// <summary>"QFI\xfb".</summary>
    public const uint QCOW_MAGIC = 0x514649fb;

    /// <summary>Length of a version 2 header.</summary>
    public const int V2_HEADER_LENGTH = 72;

    /// <summary>Length of a version 3 header without the optional fields.</summary>
    public const int V3_HEADER_LENGTH = 104;

    /// <summary>Length with the field compression_type, padded to a multiple of 8.</summary>
    public const int V3_HEADER_LENGTH_WITH_COMPRESSION = 112;

    /// <summary>In the byte after a version 3 header of 104 bytes.</summary>
    public const byte QCOW2_COMPRESSION_TYPE_ZSTD = 1;

    public const ulong QCOW2_INCOMPAT_DIRTY = 1 << 0;
    public const ulong QCOW2_INCOMPAT_CORRUPT = 1 << 1;
    public const ulong QCOW2_INCOMPAT_DATA_FILE = 1 << 2;
    public const ulong QCOW2_INCOMPAT_COMPRESSION = 1 << 3;
    public const ulong QCOW2_INCOMPAT_EXTL2 = 1 << 4;

    /// <summary>All that QEMU 10 knows.</summary>
    public const ulong QCOW2_INCOMPAT_MASK =
        QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT | QCOW2_INCOMPAT_DATA_FILE | QCOW2_INCOMPAT_COMPRESSION | QCOW2_INCOMPAT_EXTL2;

    public const uint QCOW2_EXT_MAGIC_END = 0;
    public const uint QCOW2_EXT_MAGIC_BACKING_FORMAT = 0xe2792aca;
    public const uint QCOW2_EXT_MAGIC_DATA_FILE = 0x44415441;

    /// <summary>In L1 and L2 entries: the cluster's reference count is exactly 1.</summary>
    public const ulong QCOW_OFLAG_COPIED = 1UL << 63;

    /// <summary>In L2 entries: the cluster is compressed, and offset and length are in bytes and sectors.</summary>
    public const ulong QCOW_OFLAG_COMPRESSED = 1UL << 62;

    /// <summary>Reference counts of 2^4 = 16 bits.</summary>
    public const uint REFCOUNT_ORDER = 4;

    /// <summary>QEMU opens no image with a longer active L1 table (QCOW_MAX_L1_SIZE).</summary>
    public const int QCOW_MAX_L1_SIZE_BYTES = 32 * 1024 * 1024;

    public const int MIN_CLUSTER_BITS = 9;
    public const int MAX_CLUSTER_BITS = 21;

    /// <summary>Longest name of a backing file.</summary>
    public const int MAX_BACKING_FILE_LENGTH = 1023;
}
