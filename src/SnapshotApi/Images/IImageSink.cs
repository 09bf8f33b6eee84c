namespace SnapshotApi.Images;

/// <summary>Receives an image file strictly in order. Not thread-safe.</summary>
internal interface IImageSink
{
    /// <summary>Appends bytes; the memory belongs to the caller again when the task is done.</summary>
    ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Appends zeros; a store that can may leave a hole.</summary>
    ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken);
}

/// <summary>A file of this host, open, that an image is written into in any order. Not thread-safe.</summary>
internal interface IImageFile
{
    /// <summary>Where it is, for a tool that writes into it itself; never shown to a user.</summary>
    string Path { get; }

    /// <summary>Writes at a position; what lies between is a hole of zeros. The memory belongs to the caller again when the task is done.</summary>
    ValueTask WriteAtAsync(long offsetBytes, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>What lies before this will not be written any more: a digest may already be computed over it. Never falls.</summary>
    /// <param name="bytes">From the start of the file.</param>
    void MarkFinal(long bytes)
    {
        // Most files do not care.
    }

    /// <summary>Gives the file its final length, in bytes.</summary>
    void SetLength(long lengthBytes);
}
