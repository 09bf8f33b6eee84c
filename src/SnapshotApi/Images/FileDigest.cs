using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Images;

/// <summary>The digest of a file that was not written in order; right after it was written it comes from the page cache.</summary>
internal static class FileDigest
{
    /// <summary>Large enough that a read costs nothing beside the hashing, small enough for the processor's cache.</summary>
    private const int PieceBytes = 512 * 1024;

    /// <summary>Reads the file on a thread of its own.</summary>
    /// <param name="path">The file.</param>
    /// <param name="algorithm"><c>sha256</c> or <c>sha512</c>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<Digest> ComputeAsync(string path, string algorithm, CancellationToken cancellationToken)
    {
        Digest? digest = null;
        await DedicatedThread.RunAsync("digest", () => digest = Compute(path, algorithm, cancellationToken)).ConfigureAwait(false);
        return digest!;
    }

    private static Digest Compute(string path, string algorithm, CancellationToken cancellationToken)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
        using IncrementalHash hash = IncrementalHash.CreateHash(new HashAlgorithmName(algorithm.ToUpperInvariant()));
        byte[] piece = new byte[PieceBytes];
        long offset = 0;
        while (RandomAccess.Read(file, piece, offset) is > 0 and var length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(piece, 0, length);
            offset += length;
        }

        return new Digest(algorithm, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}
