namespace SnapshotApi.Jobs;

/// <summary>
/// An exclusive lock on this host, which the kernel takes back when its process ends, however it ends. The file stays: to delete it
/// would let two processes lock two files of one name.
/// </summary>
internal sealed class HostLock : IDisposable
{
    // EWOULDBLOCK of flock(2), which FileShare.None is on Linux.
    private const int AlreadyLocked = 11;

    private readonly FileStream _file;

    private HostLock(FileStream file)
    {
        _file = file;
    }

    /// <summary>Takes a lock; null when another holds it. The caller disposes it.</summary>
    /// <param name="path">The lock's file, made when it is not there; its directory is.</param>
    public static HostLock? TryTake(string path)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        try
        {
            return new HostLock(new FileStream(path, options));
        }
        catch (IOException e) when (e.HResult == AlreadyLocked)
        {
            return null;
        }
    }

    public void Dispose() => _file.Dispose();
}
