namespace SnapshotApi.Images;

/// <summary>
/// Our own look at an image before any QEMU tool sees it: a guest's disk, whose header may be hostile, and what we
/// wrote ourselves. Whatever the bytes, it throws nothing but <see cref="ImageRejectedException"/> (and what reading
/// the stream throws).
/// </summary>
internal static class ImageInspector
{
    /// <summary>How much of the start of a file the checks look at.</summary>
    public const int StartBytes = 64 * 1024;

    /// <summary>Parses the header of a qcow2 file.</summary>
    /// <param name="file">Readable; read from its current position, which is the start of the image.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="ImageRejectedException">Not qcow2, or malformed.</exception>
    public static async Task<Qcow2Header> ReadQcow2Async(Stream file, CancellationToken cancellationToken)
    {
        byte[] start = new byte[StartBytes];
        int length = await file.ReadAtLeastAsync(start, StartBytes, throwOnEndOfStream: false, cancellationToken)
            .ConfigureAwait(false);
        return Qcow2HeaderReader.Read(start.AsSpan(0, length));
    }

    /// <summary>Checks that a written image is standalone, of its format and of its size.</summary>
    /// <param name="file">Readable and seekable, positioned at the start of the image.</param>
    /// <param name="format">What it should be.</param>
    /// <param name="virtualSizeBytes">The size of the disk that it should hold.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="ImageRejectedException">It is not.</exception>
    public static async Task VerifyAsync(
        Stream file, ImageFormat format, long virtualSizeBytes, CancellationToken cancellationToken)
    {
        if (format == ImageFormat.Raw)
        {
            // Whatever a guest wrote at its start: raw is raw, only the length can be wrong.
            VerifySize(file.Length, virtualSizeBytes);
            return;
        }

        if (format != ImageFormat.Qcow2)
        {
            await VerifyMagicAsync(file, format, cancellationToken).ConfigureAwait(false);
            return;
        }

        Qcow2Header header = await ReadQcow2Async(file, cancellationToken).ConfigureAwait(false);
        VerifyStandalone(header);
        VerifySize(header.VirtualSizeBytes, virtualSizeBytes);
        if (header.Version != 3
            || header.IsEncrypted
            || header.SnapshotCount != 0
            || (header.IncompatibleFeatures & ~Qcow2Format.QCOW2_INCOMPAT_COMPRESSION) != 0)
        {
            throw new ImageRejectedException(
                $"the image is qcow2 of version {header.Version} with feature bits 0x{header.IncompatibleFeatures:x} "
                + $"and {header.SnapshotCount} snapshots");
        }
    }

    /// <summary>Checks that a qcow2 file refers to no other file and that its feature bits are known.</summary>
    /// <exception cref="ImageRejectedException">It does, or they are not.</exception>
    public static void VerifyStandalone(Qcow2Header header)
    {
        if (header.BackingFile is not null)
        {
            throw new ImageRejectedException("the image has a backing file");
        }

        if (header.HasDataFile)
        {
            throw new ImageRejectedException("the image has an external data file");
        }

        if (header.UnknownFeatures != 0)
        {
            throw new ImageRejectedException($"the image has unknown feature bits 0x{header.UnknownFeatures:x}");
        }
    }

    // qemu-img wrote it, and has looked at its size and for a backing file: see ConvertedImage.
    private static async Task VerifyMagicAsync(Stream file, ImageFormat format, CancellationToken cancellationToken)
    {
        (int offset, byte[] magic) = format switch
        {
            ImageFormat.Vmdk => (0, "KDMV"u8.ToArray()),
            ImageFormat.Vdi => (0x40, [0x7f, 0x10, 0xda, 0xbe]),
            ImageFormat.Vhdx => (0, "vhdxfile"u8.ToArray()),
            _ => throw new ArgumentOutOfRangeException(nameof(format), format, "no such format"),
        };
        byte[] start = new byte[offset + magic.Length];
        int length = await file.ReadAtLeastAsync(start, start.Length, throwOnEndOfStream: false, cancellationToken)
            .ConfigureAwait(false);
        if (length < start.Length || !start.AsSpan(offset).SequenceEqual(magic))
        {
            throw new ImageRejectedException($"the image is not {ImageFormatNames.NameOf(format)}");
        }
    }

    private static void VerifySize(long sizeBytes, long expectedBytes)
    {
        if (sizeBytes != expectedBytes)
        {
            throw new ImageRejectedException($"the image holds {sizeBytes} bytes, not {expectedBytes}");
        }
    }
}
