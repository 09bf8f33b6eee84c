using System.Reflection;
using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Publishes the node's heartbeat at every interval, and at once when libvirt is lost or comes back, or when more is
/// known of the captures.
/// </summary>
internal sealed partial class NodeHeartbeat(
    NodeTable nodes,
    IHypervisor hypervisor,
    LiveRuns live,
    JournalRecovery recovery,
    ServerProblems problems,
    CaptureFindings findings,
    NodeDirectories directories,
    IOptions<NodeOptions> node,
    IOptions<StoresOptions> stores,
    IOptions<JobsOptions> options,
    TimeProvider time,
    ILogger<NodeHeartbeat> logger)
{
    // A libvirtd that hangs is as good as away.
    private static readonly TimeSpan HypervisorTimeout = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan TakeInterval = TimeSpan.FromSeconds(1);

    private static readonly string ServiceVersion = typeof(NodeHeartbeat).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private NodeCapabilities? _capabilities;
    private long _sawServersAt;

    /// <summary>The node had no row, and has one now: none of its servers has. Return at once.</summary>
    public event Action? RowMade;

    /// <summary>Publishes until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var wake = new WakeSignal(time);
        void OnInventoryChanged(Guid? serverId)
        {
            if (serverId is null)
            {
                wake.Set();
            }
        }

        hypervisor.InventoryChanged += OnInventoryChanged;
        findings.Changed += wake.Set;
        try
        {
            while (true)
            {
                try
                {
                    await PublishAsync(cancellationToken).ConfigureAwait(false);
                }
                catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
                {
                    LogAway(e);
                }

                await wake.WaitAsync(options.Value.HeartbeatInterval, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            hypervisor.InventoryChanged -= OnInventoryChanged;
            findings.Changed -= wake.Set;
        }
    }

    /// <summary>All servers have been looked at, and their rows are as they are; the next heartbeat says so.</summary>
    /// <param name="timestamp">When the look began.</param>
    public void SawAllServers(long timestamp) => Interlocked.Exchange(ref _sawServersAt, timestamp);

    /// <summary>
    /// Takes the node's name. The name of a host that is dead can be taken: this waits for as long as one that lives
    /// would need to say so.
    /// </summary>
    /// <exception cref="NodeNameTakenException">Another host has it, and lives.</exception>
    public async Task TakeNameAsync(CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        while (true)
        {
            try
            {
                await PublishAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (NodeNameTakenException) when (time.GetElapsedTime(start) <= NodeLiveness.Limit(options.Value))
            {
                // Its last heartbeat may be that of a host that has just died, or was installed anew.
            }
            catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
            {
                LogAway(e);
                start = time.GetTimestamp();
            }

            await Task.Delay(TakeInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Publishes once.</summary>
    /// <exception cref="NodeNameTakenException">Another host has the node's name.</exception>
    /// <exception cref="SnapshotException">database_unavailable.</exception>
    public async Task PublishAsync(CancellationToken cancellationToken)
    {
        bool isConnected = await TryReadCapabilitiesAsync(cancellationToken).ConfigureAwait(false);
        var record = new NodeRecord(
            node.Value.Name,
            _capabilities,
            isConnected,
            ServiceVersion,
            FreeBytes(node.Value.WorkDirectory),
            FreeBytes(stores.Value.Directory.Path),
            node.Value.MaxJobs,
            live.Count,
            [.. recovery.Problems, .. problems.All],
            time.GetUtcNow())
        {
            Check = findings.Current,
            HostId = directories.HostId,
            InventoryAge = Interlocked.Read(ref _sawServersAt) is not 0 and var at ? time.GetElapsedTime(at) : null,
        };
        bool? isNew = await nodes
            .PublishAsync(record, NodeLiveness.Limit(options.Value), cancellationToken).ConfigureAwait(false);
        if (isNew is null)
        {
            throw new NodeNameTakenException(node.Value.Name);
        }

        if (isNew == true)
        {
            RowMade?.Invoke();
        }
    }

    private async Task<bool> TryReadCapabilitiesAsync(CancellationToken cancellationToken)
    {
        if (!hypervisor.IsConnected)
        {
            return false;
        }

        try
        {
            _capabilities = await hypervisor.GetCapabilitiesAsync(cancellationToken)
                .WaitAsync(HypervisorTimeout, time, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is SnapshotException or TimeoutException)
        {
            LogHypervisor(e);
            return false;
        }
    }

    /// <summary>Free bytes of the file system that a path is, or would be made on; 0 when they can't be read.</summary>
    private static long FreeBytes(string path)
    {
        string? existing = path;
        while (existing is not null && !Directory.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing);
        }

        try
        {
            return existing is null ? 0 : new DriveInfo(existing).AvailableFreeSpace;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    [LoggerMessage(6080, LogLevel.Warning, "The node's heartbeat could not be published")]
    private partial void LogAway(Exception exception);

    [LoggerMessage(6081, LogLevel.Warning, "libvirt does not answer")]
    private partial void LogHypervisor(Exception exception);
}

internal static class NodeLiveness
{
    // One heartbeat may be late, two may be lost in a restart of the database.
    private const int MissedHeartbeats = 3;

    /// <summary>The age of the last heartbeat at which a node counts as dead.</summary>
    public static TimeSpan Limit(JobsOptions options) => options.HeartbeatInterval * MissedHeartbeats;
}

/// <summary>Two hosts have one name: each would take the other's jobs and delete its servers.</summary>
internal sealed class NodeNameTakenException(string name) : SetupException(
    $"another host is the node {name} and lives: give each host a Node__Name of its own");
