using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// The node's part of the service, in order:
/// <list type="number">
/// <item>The node's lock: one service works on a node.</item>
/// <item>What a former process left is undone; libvirt is all that needs.</item>
/// <item>The node gives signs of life and publishes its inventory.</item>
/// <item>Once the database is migrated, jobs are taken from the node's queue, lost ones are looked for.</item>
/// </list>
/// It stops in the other order: no more jobs, runs undone and handed back, silence, the lock.
/// </summary>
internal sealed partial class NodeAgent(
    NodeDirectories directories,
    JournalRecovery recovery,
    NodeHeartbeat heartbeat,
    InventoryPublisher inventory,
    JobSweeper sweeper,
    JobServer server,
    DatabaseStartup database,
    IOptions<NodeOptions> options,
    ILogger<NodeAgent> logger) : BackgroundService
{
    private HostLock? _lock;

    /// <summary>What a former process left has been undone, as far as it could be.</summary>
    public bool HasRecovered { get; private set; }

    /// <summary>Takes the node's lock.</summary>
    /// <exception cref="InvalidOperationException">Another service works on the node.</exception>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        // Step 1: the lock.
        _lock = HostLock.TryTake(directories.NodeLock) ?? throw new InvalidOperationException(
            $"another SnapshotApi service works in {options.Value.WorkDirectory}: a node has one service, with one Node:WorkDirectory");
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
        // Step 2: what was left.
        await recovery.RecoverAsync(stoppingToken).ConfigureAwait(false);
        HasRecovered = true;
        LogRecovered(options.Value.Name, recovery.Problems.Count);

        // Step 3: signs of life. The inventory comes after the first of them, whose row its rows refer to.
        await Task.WhenAll(
            recovery.RunAsync(stoppingToken),
            heartbeat.RunAsync(stoppingToken),
            inventory.RunAsync(stoppingToken),
            TakeJobsAsync(stoppingToken)).ConfigureAwait(false);
    }

    private async Task TakeJobsAsync(CancellationToken cancellationToken)
    {
        // Step 4: jobs.
        await database.WaitAsync(cancellationToken).ConfigureAwait(false);
        server.Start();
        await sweeper.RunAsync(cancellationToken).ConfigureAwait(false);
    }
}
