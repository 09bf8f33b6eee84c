using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// The node's part of the service, in order:
/// <list type="number">
/// <item>The node's lock is taken: one service works on a node.</item>
/// <item>The node sends heartbeats.</item>
/// <item>What a former process left is undone; that needs libvirt only.</item>
/// <item>The node proves its captures on canaries, unless it knows them; jobs wait for the end of that.</item>
/// <item>The node publishes its inventory, and goes on undoing what could not be undone yet.</item>
/// <item>Once the database is migrated, jobs are taken from the node's queue, and lost ones are looked for.</item>
/// </list>
/// It stops in the reverse order: no more jobs, runs undone and handed back, the loops, the lock.
/// </summary>
internal sealed partial class NodeAgent(
    NodeDirectories directories,
    JournalRecovery recovery,
    NodeHeartbeat heartbeat,
    InventoryPublisher inventory,
    NodeChecker checker,
    JobSweeper sweeper,
    JobServer server,
    DatabaseStartup database,
    IOptions<NodeOptions> options,
    TimeProvider time,
    ILogger<NodeAgent> logger) : BackgroundService
{
    private static readonly TimeSpan RestartDelay = TimeSpan.FromSeconds(1);

    private FileStream? _lock;

    /// <summary>Takes the node's lock.</summary>
    /// <exception cref="InvalidOperationException">Another service has it.</exception>
    /// <exception cref="SetupException">It can't be made.</exception>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        // Step 1: the lock.
        directories.Require();
        _lock = HostLock.TryTake(directories.NodeLock) ?? throw new InvalidOperationException(
            $"another SnapshotApi service works in {options.Value.WorkDirectory}: "
            + "a node has one service, with one Node:WorkDirectory");
        return base.StartAsync(cancellationToken);
    }

    /// <summary>Stops taking jobs, waits for runs to be undone and handed back, then stops the rest.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await server.StopAsync(cancellationToken).ConfigureAwait(false);
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        _lock?.Dispose();
        _lock = null;
    }

    public override void Dispose()
    {
        _lock?.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Step 2: heartbeats, under a name that no other host has.
        Task alive = KeepAsync("heartbeat", ct => OnceNamedAsync(heartbeat.RunAsync, ct), stoppingToken);

        // Step 3: what was left.
        await recovery.RecoverAsync(stoppingToken).ConfigureAwait(false);
        LogRecovered(options.Value.Name, recovery.Problems.Count);

        // Step 4: which captures are safe.
        Task proved = KeepAsync("check", checker.RunAsync, stoppingToken);

        // Step 5: inventory, and what could not be undone yet.
        Task published = KeepAsync("inventory", ct => OnceNamedAsync(inventory.RunAsync, ct), stoppingToken);
        Task recovered = KeepAsync("recovery", recovery.RunAsync, stoppingToken);

        // Step 6: jobs.
        await database.WaitAsync(stoppingToken).ConfigureAwait(false);
        await heartbeat.TakeNameAsync(stoppingToken).ConfigureAwait(false);
        server.Start();
        Task swept = KeepAsync("sweeper", sweeper.RunAsync, stoppingToken);

        // One that ends says that the node must not go on.
        Task ended = await Task.WhenAny(alive, proved, published, recovered, swept).ConfigureAwait(false);
        await ended.ConfigureAwait(false);
    }

    /// <summary>Begins a loop that writes to the database when that is ready and the node has its name.</summary>
    private async Task OnceNamedAsync(Func<CancellationToken, Task> loop, CancellationToken cancellationToken)
    {
        await database.WaitAsync(cancellationToken).ConfigureAwait(false);
        await heartbeat.TakeNameAsync(cancellationToken).ConfigureAwait(false);
        await loop(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Keeps a loop at work: a defect must neither end it in silence nor end the other loops.</summary>
    private async Task KeepAsync(string name, Func<CancellationToken, Task> loop, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await loop(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not SetupException && !cancellationToken.IsCancellationRequested)
            {
                LogBroken(e, name, RestartDelay.TotalMilliseconds);
            }

            await Task.Delay(RestartDelay, time, cancellationToken).ConfigureAwait(false);
        }
    }

    [LoggerMessage(6100, LogLevel.Information,
        "Node {Node} is clean but for {Problems} problems; it takes jobs when the database answers")]
    private partial void LogRecovered(string node, int problems);

    [LoggerMessage(6101, LogLevel.Error, "The node's {Loop} broke; it begins again in {DelayMs} ms")]
    private partial void LogBroken(Exception exception, string loop, double delayMs);
}

/// <summary>
/// An exclusive lock on this host, which the kernel releases when its process ends, however it ends. The file stays: if
/// it were deleted, two processes could lock two files of one name.
/// </summary>
internal static class HostLock
{
    // EWOULDBLOCK of flock(2), which FileShare.None is on Linux.
    private const int AlreadyLocked = 11;

    /// <summary>Takes a lock; null when another holds it. Dispose releases it.</summary>
    /// <param name="path">The lock's file, in an existing directory; it is made when it is not there.</param>
    public static FileStream? TryTake(string path)
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
            return new FileStream(path, options);
        }
        catch (IOException e) when (e.HResult == AlreadyLocked)
        {
            return null;
        }
    }
}
