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
    IOptions<NodeOptions> node,
    IOptions<StoresOptions> stores,
    IOptions<JobsOptions> options,
    TimeProvider time,
    ILogger<NodeHeartbeat> logger)
{
    // A libvirtd that hangs is as good as away.
    private static readonly TimeSpan HypervisorTimeout = TimeSpan.FromSeconds(3);

    private static readonly string ServiceVersion = typeof(NodeHeartbeat).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private NodeCapabilities? _capabilities;

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

    /// <summary>Publishes once.</summary>
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
        };
        await nodes.PublishAsync(record, cancellationToken).ConfigureAwait(false);
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
