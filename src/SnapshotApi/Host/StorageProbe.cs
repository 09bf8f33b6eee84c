using SnapshotApi.Linux;
using static SnapshotApi.Linux.Errno;

namespace SnapshotApi.Host;

/// <summary>Finds out whether a directory of the service can be written to, and says the cure where it can't.</summary>
internal static class StorageProbe
{
    // One block of any file system: a full one refuses it, though it may still make an empty file.
    private static readonly byte[] Block = new byte[4096];

    /// <summary>Writes a block into a directory and takes it away again.</summary>
    public static void Write(string directory)
    {
        string path = Path.Combine(directory, $".probe-{Guid.NewGuid():N}");
        try
        {
            using var file = new FileStream(LinuxFile.CreateNew(path), FileAccess.Write, bufferSize: 0);
            file.Write(Block);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Tries it.</summary>
    /// <param name="place">In words: <c>the directory store</c>.</param>
    /// <param name="key">The key of the configuration that names it.</param>
    /// <returns>Null: it works. Else the problem and its cure, without a path.</returns>
    public static SnapshotException? FindProblem(string place, string key, Action attempt)
    {
        try
        {
            attempt();
            return null;
        }
        catch (Exception e) when (StorageErrors.IsOne(e))
        {
            SnapshotException problem = StorageErrors.Translate(
                e, place, $"{place} can't be written to", SnapshotErrorCode.CopyDestinationFailed);
            int number = StorageErrors.NumberOf(e);
            return new SnapshotException(problem.Code, $"{problem.Message}; {Cure(number, key)}", e)
            {
                IsLasting = number is EACCES or EPERM or EROFS or EEXIST or ENOTDIR or ELOOP or ENAMETOOLONG,
            };
        }
    }

    private static string Cure(int number, string key) => number switch
    {
        ENOSPC => "make room there",
        EDQUOT => "raise the quota, or make room",
        EROFS => "mount it for writing, or name it in ReadWritePaths= of the systemd unit",
        EACCES or EPERM => $"give the directory of {key} to the service's user",
        EEXIST or ENOTDIR => $"what {key} names is no directory: name another, or remove the file",
        ENOENT => $"make the directory of {key}, or mount it",
        _ => $"see to the file system of {key}",
    };
}
