using System.Security.Cryptography;

namespace SnapshotApi.Cli.Downloads;

/// <summary>
/// The unfinished file of a download: it is appended to in order, computes its digest on the way, and leaves blocks of
/// zeros as holes. Its name holds the image's id, so that a run never continues the file of another image. The caller
/// disposes it.
/// </summary>
internal sealed class PartialFile : IDisposable
{
    /// <summary>A hole is left for each block of zeros of this size; smaller ones save little and cost calls.</summary>
    private const int HoleBytes = 64 << 10;

    private readonly FileStream _file;
    private readonly HashAlgorithmName _algorithm;
    private IncrementalHash _hash;

    private PartialFile(FileStream file, HashAlgorithmName algorithm)
    {
        (_file, _algorithm, _hash) = (file, algorithm, IncrementalHash.CreateHash(algorithm));
    }

    /// <summary>Where it is.</summary>
    public string Path => _file.Name;

    /// <summary>How much an earlier run has fetched, before <see cref="ResumeAsync"/>; 0 for a new file.</summary>
    public long LengthBytes => _file.Length;

    /// <summary>Bytes appended so far, those of earlier runs included.</summary>
    public long Position { get; private set; }

    /// <summary>Opens or creates it, readable by its owner only: an image holds all of the guest's data.</summary>
    /// <exception cref="IOException">It can't be made, or another run writes to it.</exception>
    public static PartialFile Open(string destination, Guid imageId, HashAlgorithmName algorithm)
    {
        string directory = System.IO.Path.GetDirectoryName(destination)!;
        string name = $".{System.IO.Path.GetFileName(destination)}.{imageId:D}.part";
        var file = new FileStream(System.IO.Path.Combine(directory, name), new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            Options = FileOptions.Asynchronous,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        return new PartialFile(file, algorithm);
    }

    /// <summary>Reads what an earlier run fetched, for the digest; starts again at 0 when it is too long.</summary>
    public async Task<long> ResumeAsync(long sizeBytes, CancellationToken cancellationToken)
    {
        if (_file.Length > sizeBytes)
        {
            Restart();
        }

        await ReadThroughAsync(_hash, cancellationToken).ConfigureAwait(false);
        Position = _file.Length;
        return Position;
    }

    /// <summary>Starts again at 0.</summary>
    public void Restart()
    {
        _file.SetLength(0);
        Position = 0;
        _hash.Dispose();
        _hash = IncrementalHash.CreateHash(_algorithm);
    }

    /// <summary>Appends bytes.</summary>
    public async Task AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        _hash.AppendData(bytes.Span);
        while (!bytes.IsEmpty)
        {
            ReadOnlyMemory<byte> block = bytes[..Math.Min(HoleBytes, bytes.Length)];
            if (block.Span.ContainsAnyExcept((byte)0))
            {
                _file.Position = Position;
                await _file.WriteAsync(block, cancellationToken).ConfigureAwait(false);
            }

            Position += block.Length;
            bytes = bytes[block.Length..];
        }
    }

    /// <summary>Digest of all that was appended, lower-case hexadecimal.</summary>
    public string Digest() => Convert.ToHexStringLower(_hash.GetCurrentHash());

    /// <summary>Digest of the file as it is read back.</summary>
    public async Task<string> DigestOfFileAsync(CancellationToken cancellationToken)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(_algorithm);
        await ReadThroughAsync(hash, cancellationToken).ConfigureAwait(false);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    /// <summary>Gives the file its full length (the last block may be a hole) and syncs it.</summary>
    public void Complete()
    {
        _file.SetLength(Position);
        _file.Flush(flushToDisk: true);
    }

    /// <summary>Deletes it.</summary>
    public void Delete()
    {
        File.Delete(Path);
        Dispose();
    }

    public void Dispose()
    {
        _hash.Dispose();
        _file.Dispose();
    }

    private async Task ReadThroughAsync(IncrementalHash hash, CancellationToken cancellationToken)
    {
        var buffer = new byte[1 << 20];
        _file.Position = 0;
        for (int read; (read = await _file.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
        {
            hash.AppendData(buffer.AsSpan(0, read));
        }
    }
}
