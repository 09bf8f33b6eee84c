using System.Buffers.Binary;
using System.Text;

namespace SnapshotApi.Images;

/// <summary>Parses the start of a qcow2 file, trusting no byte of it: every offset and length is checked before it is followed.</summary>
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
        if (length < Qcow2Format.V3_HEADER_LENGTH || length > start.Length || length > 1u << (int)clusterBits || length % 8 != 0)
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

    /// <summary>Extensions follow the header up to an end mark, the backing file's name or the end of the first cluster.</summary>
    private static (string? BackingFormat, string? DataFile) Extensions(ReadOnlySpan<byte> area, int offset)
    {
        string? backingFormat = null;
        string? dataFile = null;
        while (area.Length - offset >= 8 && ReadUInt32(area, offset) is var magic and not Qcow2Format.QCOW2_EXT_MAGIC_END)
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

    private static uint ReadUInt32(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32BigEndian(bytes[offset..]);

    private static ulong ReadUInt64(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt64BigEndian(bytes[offset..]);
}
