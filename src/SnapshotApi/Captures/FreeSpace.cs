using SnapshotApi.Errors;

namespace SnapshotApi.Captures;

/// <summary>Free space of the file system that holds a directory.</summary>
internal static class FreeSpace
{
    /// <summary>Bytes that we may still write there.</summary>
    public static long Of(string directory) => new DriveInfo(directory).AvailableFreeSpace;

    /// <summary>Refuses when less than that is free.</summary>
    /// <exception cref="SnapshotException">no_space.</exception>
    public static void Require(string directory, long neededBytes, string what)
    {
        long free = Of(directory);
        if (free < neededBytes)
        {
            throw new SnapshotException(
                SnapshotErrorCode.NoSpace,
                $"{what} needs {neededBytes >> 20} MiB in the node's work directory, {free >> 20} MiB are free");
        }
    }
}
