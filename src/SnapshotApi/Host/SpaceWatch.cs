namespace SnapshotApi.Host;

/// <summary>
/// The free space of a directory's file system, and the reserve for running guests: QEMU writes there what a backup has
/// to keep, and pauses the guest when it can't. What the service writes stops first.
/// </summary>
/// <param name="reserveBytes">Below so much free space a backup is ended; 0: no reserve.</param>
/// <param name="place">The directory in words, for example <c>the node's work directory</c>.</param>
internal sealed class SpaceWatch(string directory, long reserveBytes, string place)
{
    // Half a reserve lies between the end of our writer and that of the backups: at 2 GiB/s a look does not miss it.
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>For a job's directory in the node's work directory.</summary>
    public static SpaceWatch OfWork(string directory, NodeOptions node) =>
        new(directory, node.ReservedBytes, "the node's work directory");

    /// <summary>What our writers leave free: more than the reserve, so that they end before any backup.</summary>
    public long KeptBytes { get; } = reserveBytes + (reserveBytes / 2);

    /// <exception cref="IOException">The file system can't be asked.</exception>
    public long FreeBytes => new DriveInfo(directory).AvailableFreeSpace;

    /// <summary>A writer of ours has to stop.</summary>
    /// <exception cref="IOException">The file system can't be asked.</exception>
    public bool IsLow => FreeBytes < KeptBytes;

    /// <summary>The reserve is touched: a backup has to end before QEMU pauses its guest.</summary>
    /// <exception cref="IOException">The file system can't be asked.</exception>
    public bool IsReserveTouched => FreeBytes < reserveBytes;

    /// <summary>Refuses what would not fit.</summary>
    /// <param name="what">For example <c>the image</c>.</param>
    /// <exception cref="SnapshotException">no_space.</exception>
    public void Require(string what, long neededBytes)
    {
        long free = FreeBytes;
        if (free - KeptBytes < neededBytes)
        {
            string kept = KeptBytes > 0 ? $", of which {KeptBytes >> 20} MiB are kept for running guests" : "";
            throw new SnapshotException(
                SnapshotErrorCode.NoSpace,
                $"{what} needs {neededBytes >> 20} MiB in {place}, {free >> 20} MiB are free{kept}");
        }
    }

    /// <summary>Runs what writes there, and ends it when space runs low.</summary>
    /// <param name="what">What is written, for example <c>the image</c>.</param>
    /// <param name="work">Its token is cancelled when it has to stop.</param>
    /// <exception cref="SnapshotException">no_space; else what the work throws.</exception>
    public async Task<T> RunAsync<T>(
        string what, Func<CancellationToken, Task<T>> work, TimeProvider time, CancellationToken cancellationToken)
    {
        bool hasStopped = false;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ITimer timer = time.CreateTimer(_ => Look(), null, LookInterval, LookInterval);
        await using var stopTimer = timer.ConfigureAwait(false);
        try
        {
            return await work(either.Token).ConfigureAwait(false);
        }
        catch (Exception e) when ((hasStopped || IsLowNow()) && !cancellationToken.IsCancellationRequested)
        {
            // It may look like a tool that fails to write, or a cancellation.
            throw new SnapshotException(SnapshotErrorCode.NoSpace, $"{place} has no space left for {what}", e);
        }

        void Look()
        {
            if (!hasStopped && IsLowNow())
            {
                hasStopped = true;
                either.Cancel();
            }
        }
    }

    // A file system that can't be asked is no reason to stop: writing to it shows what is wrong.
    private bool IsLowNow()
    {
        try
        {
            return IsLow;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
