using System.Buffers.Binary;
using System.Text;

namespace SnapshotApi.Images;

/// <summary>
/// What the header of a qcow2 file claims. It was written by whoever wrote the file, for a guest's disk perhaps by the
/// guest: names are text to compare, never paths to open.
/// </summary>
/// <param name="Version">2 or 3.</param>
/// <param name="VirtualSizeBytes">Size of the disk in it, at least 0.</param>
/// <param name="ClusterBits">9 to 21: clusters of 512 bytes to 2 MiB.</param>
/// <param name="BackingFile">Name of the backing file; null if there is none; empty: a claim without a name.</param>
/// <param name="BackingFormat">Format of the backing file; null if it is not named.</param>
/// <param name="DataFile">Name of the external data file; null if it is not named.</param>
/// <param name="IncompatibleFeatures">Feature bits that a reader must know; 0 for version 2.</param>
/// <param name="SnapshotCount">Internal snapshots.</param>
/// <param name="IsEncrypted">The guest's data is encrypted.</param>
internal sealed record Qcow2Header(
    int Version,
    long VirtualSizeBytes,
    int ClusterBits,
    string? BackingFile,
    string? BackingFormat,
    string? DataFile,
    ulong IncompatibleFeatures,
    long SnapshotCount,
    bool IsEncrypted)
{
    /// <summary>The guest's data lies in another file, named or not.</summary>
    public bool HasDataFile =>
        DataFile is not null || (IncompatibleFeatures & Qcow2Format.QCOW2_INCOMPAT_DATA_FILE) != 0;

    /// <summary>Feature bits that no QEMU we know of knows.</summary>
    public ulong UnknownFeatures => IncompatibleFeatures & ~Qcow2Format.QCOW2_INCOMPAT_MASK;
}

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
        QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT | QCOW2_INCOMPAT_DATA_FILE | QCOW2_INCOMPAT_COMPRESSION
        | QCOW2_INCOMPAT_EXTL2;

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

/// <summary>Parses the start of a qcow2 file; checks each offset and length before following it.</summary>
internal static class Qcow2HeaderReader
{
    /// <exception cref="ImageRejectedException">Not qcow2, or malformed.</exception>
    public static Qcow2Header Read(ReadOnlySpan<byte> start)
    {
        if (start.Length < Qcow2Format.V2_HEADER_LENGTH || ReadUInt32(start, 0) != Qcow2Format.QCOW_MAGIC)
        {
            throw new ImageRejectedException("the image is not qcow2");
        }

        uint version = ReadUInt32(start, 4);
        if (version is not (2 or 3))
        {
            throw new ImageRejectedException($"the image is qcow2 of the unknown version {version}");
        }

        uint clusterBits = ReadUInt32(start, 20);
        if (clusterBits is < Qcow2Format.MIN_CLUSTER_BITS or > Qcow2Format.MAX_CLUSTER_BITS)
        {
            throw new ImageRejectedException($"the image has clusters of 2^{clusterBits} bytes");
        }

        ulong size = ReadUInt64(start, 24);
        if (size > long.MaxValue)
        {
            throw new ImageRejectedException($"the image claims {size} bytes");
        }

        int headerLength = HeaderLength(start, version, clusterBits);
        ulong backingOffset = ReadUInt64(start, 8);
        string? backingFile = BackingFile(start, backingOffset, headerLength, clusterBits);
        int end = backingFile is null ? start.Length : (int)backingOffset;
        (string? backingFormat, string? dataFile) = Extensions(
            start[..Math.Min(end, Math.Min(start.Length, 1 << (int)clusterBits))], headerLength);
        return new Qcow2Header(
            (int)version,
            (long)size,
            (int)clusterBits,
            backingFile,
            backingFormat,
            dataFile,
            version == 3 ? ReadUInt64(start, 72) : 0,
            ReadUInt32(start, 60),
            ReadUInt32(start, 32) != 0);
    }

    private static int HeaderLength(ReadOnlySpan<byte> start, uint version, uint clusterBits)
    {
        if (version == 2)
        {
            return Qcow2Format.V2_HEADER_LENGTH;
        }

        if (start.Length < Qcow2Format.V3_HEADER_LENGTH)
        {
            throw new ImageRejectedException("the image ends within its header");
        }

        uint length = ReadUInt32(start, 100);
        if (length < Qcow2Format.V3_HEADER_LENGTH || length > start.Length || length > 1u << (int)clusterBits
            || length % 8 != 0)
        {
            throw new ImageRejectedException($"the image has a header of {length} bytes");
        }

        return (int)length;
    }

    private static string? BackingFile(ReadOnlySpan<byte> start, ulong offset, int headerLength, uint clusterBits)
    {
        if (offset == 0)
        {
            return null;
        }

        uint length = ReadUInt32(start, 16);
        ulong end = offset + length;
        if (offset < (ulong)headerLength
            || length > Qcow2Format.MAX_BACKING_FILE_LENGTH
            || end < offset
            || end > Math.Min((ulong)start.Length, 1UL << (int)clusterBits))
        {
            throw new ImageRejectedException($"the image has its backing file's name at {offset}, {length} bytes");
        }

        return Text(start.Slice((int)offset, (int)length), "backing file");
    }

    /// <summary>Extensions end at an end mark, the backing file's name or the end of the first cluster.</summary>
    private static (string? BackingFormat, string? DataFile) Extensions(ReadOnlySpan<byte> area, int offset)
    {
        string? backingFormat = null;
        string? dataFile = null;
        while (area.Length - offset >= 8
            && ReadUInt32(area, offset) is var magic and not Qcow2Format.QCOW2_EXT_MAGIC_END)
        {
            uint length = ReadUInt32(area, offset + 4);
            offset += 8;
            if (length > (uint)(area.Length - offset))
            {
                throw new ImageRejectedException($"the image has a header extension of {length} bytes at {offset}");
            }

            ReadOnlySpan<byte> content = area.Slice(offset, (int)length);
            if (magic == Qcow2Format.QCOW2_EXT_MAGIC_BACKING_FORMAT)
            {
                backingFormat = Text(content, "backing format");
            }
            else if (magic == Qcow2Format.QCOW2_EXT_MAGIC_DATA_FILE)
            {
                dataFile = Text(content, "data file");
            }

            offset += Math.Min((int)(length + 7) / 8 * 8, area.Length - offset);
        }

        return (backingFormat, dataFile);
    }

    /// <summary>C code would read a name up to its first NUL: one name must not be two.</summary>
    private static string Text(ReadOnlySpan<byte> bytes, string what) => bytes.Contains((byte)0)
        ? throw new ImageRejectedException($"the image has a NUL in the name of its {what}")
        : Encoding.UTF8.GetString(bytes);

    private static uint ReadUInt32(ReadOnlySpan<byte> bytes, int offset) =>
        BinaryPrimitives.ReadUInt32BigEndian(bytes[offset..]);

    private static ulong ReadUInt64(ReadOnlySpan<byte> bytes, int offset) =>
        BinaryPrimitives.ReadUInt64BigEndian(bytes[offset..]);
}
