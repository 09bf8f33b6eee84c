using System.Collections.Concurrent;
using SnapshotApi.Host;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary><see cref="IHypervisor"/> over libvirt's C API; each call has a thread, for it may block.</summary>
/// <remarks>
/// <list type="bullet">
/// <item>Looking, changing, undoing and events have connections of their own: libvirtd answers a handful of requests of
/// one connection at a time.</item>
/// <item>At most one call that changes a guest is in flight on it. It is neither given up nor waited for without bound:
/// when its caller stops waiting it stays known, and the next one comes after it.</item>
/// <item>A call that only looks may be given up.</item>
/// </list>
/// </remarks>
internal sealed partial class LibvirtHypervisor : IHypervisor, IDisposable
{
    // Calls that need no QEMU take milliseconds; a libvirtd that is started by its socket takes a second or two.
    private static readonly TimeSpan LookLimit = TimeSpan.FromSeconds(10);

    // A monitor answers within milliseconds, on a busy host within a second.
    private static readonly TimeSpan MonitorLimit = TimeSpan.FromSeconds(5);

    // Shorter: one guest that hangs must not hold up the list of all.
    private static readonly TimeSpan ListedMonitorLimit = TimeSpan.FromSeconds(1);

    // Longer than any command of a healthy QEMU.
    private static readonly TimeSpan BusyMonitor = TimeSpan.FromSeconds(3);

    // How long libvirt lets a call wait for another's job (QEMU_JOB_WAIT_TIME).
    private static readonly TimeSpan LibvirtJobWait = TimeSpan.FromSeconds(30);

    private const int MonitorsAtOnce = 3;

    // libvirtd has 20 workers (max_workers): looks that hang leave some to change and undo.
    private const int MostLooks = 12;

    private readonly LibvirtSession _eventSession;
    private readonly LibvirtPool _looking;
    private readonly LibvirtPool _changing;
    private readonly LibvirtPool _undoing;
    private readonly LibvirtEvents _events;
    private readonly GuestCalls _calls;
    private readonly TimeProvider _time;
    private readonly TimeSpan _changeLimit;
    private readonly string? _snapshotImageFormat;
    private readonly ConcurrentDictionary<Guid, IReadOnlyDictionary<string, string>> _targetsByPath = new();
    private volatile KnownHypervisor? _hypervisor;

    public LibvirtHypervisor(IOptions<NodeOptions> options, TimeProvider time, ILogger<LibvirtHypervisor> logger)
    {
        _time = time;
        _calls = new GuestCalls(time);
        _changeLimit = options.Value.StallTimeout + LibvirtJobWait;
        _snapshotImageFormat = options.Value.SnapshotImageFormat;
        string uri = options.Value.LibvirtUri;
        _looking = new LibvirtPool(uri, MostLooks);
        _changing = new LibvirtPool(uri);
        _undoing = new LibvirtPool(uri);
        _eventSession = new LibvirtSession(new LibvirtSessionOptions(uri));
        _events = new LibvirtEvents(_eventSession, () => InventoryChanged, logger);
        _eventSession.Start();
    }

    public event Action<Guid?>? InventoryChanged;

    public bool IsConnected => _eventSession.IsConnected;

    public string? Problem => IsConnected ? null
        : _eventSession.LastFailure is { } failure ? LibvirtTrouble.NoConnection(failure)
        : "libvirt has not answered yet";

    public Task<NodeCapabilities> GetCapabilitiesAsync(CancellationToken cancellationToken) => LookAsync(
        connection => new NodeCapabilities(
            connection.GetDriverName(), connection.GetLibvirtVersion(), HypervisorVersionOf(connection))
        {
            SnapshotImageFormat = _snapshotImageFormat,
        },
        cancellationToken);

    public async Task<IReadOnlyList<ServerDescription>> ListServersAsync(CancellationToken cancellationToken)
    {
        List<(ServerDescription Server, DomainControl Control)> quiet =
            await LookAsync(ListQuietly, cancellationToken).ConfigureAwait(false);
        var servers = new ServerDescription[quiet.Count];
        var options =
            new ParallelOptions { MaxDegreeOfParallelism = MonitorsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, quiet.Count, options, async (i, token) =>
        {
            (ServerDescription server, DomainControl control) = quiet[i];
            servers[i] = await CompleteAsync(server, control, ListedMonitorLimit, token).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return servers;
    }

    public async Task<ServerDescription?> FindServerAsync(Guid serverId, CancellationToken cancellationToken) =>
        await DescribeQuietlyAsync(serverId, cancellationToken).ConfigureAwait(false) is var (server, control)
            ? await CompleteAsync(server, control, MonitorLimit, cancellationToken).ConfigureAwait(false)
            : null;

    public Task<Guid?> FindIdAsync(string name, CancellationToken cancellationToken) => LookAsync<Guid?>(
        connection =>
        {
            try
            {
                using LibvirtDomain domain = connection.LookupByName(name);
                return domain.Uuid;
            }
            catch (LibvirtException e) when (e.Code == LibvirtErrorCode.NoDomain)
            {
                return null;
            }
        },
        cancellationToken);

    public async Task<ServerDescription?> PeekAsync(Guid serverId, CancellationToken cancellationToken) =>
        (await DescribeQuietlyAsync(serverId, cancellationToken).ConfigureAwait(false))?.Server;

    public Task<bool?> IsNetworkActiveAsync(string name, CancellationToken cancellationToken) =>
        LookAsync<bool?>(connection =>
        {
            try
            {
                return connection.IsNetworkActive(name);
            }
            catch (LibvirtException e) when (e.Code == LibvirtErrorCode.NoNetwork)
            {
                return null;
            }
        }, cancellationToken);

    public Task<string?> FindMachineObstacleAsync(
        string? emulator, string? architecture, string? machine, string domainType,
        CancellationToken cancellationToken) =>
        LookAsync(connection =>
        {
            try
            {
                _ = connection.GetDomainCapabilitiesXml(emulator, architecture, machine, domainType);
                return null;
            }
            catch (LibvirtException e) when (!e.IsConnectionLost)
            {
                return HostText.Clean(e.NativeMessage);
            }
        }, cancellationToken);

    public Task<DiskUsage> GetDiskUsageAsync(Guid serverId, string target, CancellationToken cancellationToken) =>
        AskQemuAsync(serverId, "virDomainGetBlockInfo", domain =>
        {
            BlockInfo info = domain.GetBlockInfo(target);
            return new DiskUsage((long)info.CapacityBytes, (long)info.AllocationBytes);
        }, cancellationToken);

    public async Task<ServerDescription?> FindSavedAsync(Guid serverId, CancellationToken cancellationToken)
    {
        NodeCapabilities node = await GetCapabilitiesAsync(cancellationToken).ConfigureAwait(false);
        string? xml = node.CanReadSaved
            ? await LookAtAsync(serverId, domain => domain.GetManagedSaveXml(), cancellationToken).ConfigureAwait(false)
            : null;
        return xml is null ? null : DomainXmlReader.Read(
            xml, ServerPowerState.Saved, isPersistent: true, activeJob: null);
    }

    public Task<bool> HasSecretAsync(string name, CancellationToken cancellationToken) =>
        LookAsync(connection => connection.HasSecret(name), cancellationToken);

    public Task<string> GetInactiveXmlAsync(Guid serverId, CancellationToken cancellationToken) =>
        LookAtAsync(
            serverId, domain => domain.GetXml(DomainXmlFlags.Inactive | DomainXmlFlags.Secure), cancellationToken);

    public async Task<IServerWatch> WatchServerAsync(Guid serverId, CancellationToken cancellationToken)
    {
        await ListenAsync(cancellationToken).ConfigureAwait(false);
        return _events.WatchServer(serverId);
    }

    public async Task<IBlockJobWatch> WatchBlockJobsAsync(Guid serverId, CancellationToken cancellationToken)
    {
        await ListenAsync(cancellationToken).ConfigureAwait(false);
        return _events.WatchBlockJobs(serverId);
    }

    public Task WaitForChangesAsync(Guid serverId, CancellationToken cancellationToken) =>
        _calls.WaitAsync(serverId, GuestCallKind.Change, cancellationToken);

    public void Dispose()
    {
        _events.Dispose();
        _eventSession.Dispose();
        _looking.Dispose();
        _changing.Dispose();
        _undoing.Dispose();
    }

    // The connection for events must be open before anything begins of which they tell.
    private Task<LibvirtConnection> ListenAsync(CancellationToken cancellationToken) =>
        TranslateAsync(OwnThread.RunAsync(_eventSession.GetConnection).WaitAsync(cancellationToken), null);

    // To tell QEMU's version, libvirt probes its binary again when that, or the host, has changed: seconds on a busy
    // node. Asked once per connection, for a sign of life must not wait for a probe.
    private Version HypervisorVersionOf(LibvirtConnection connection)
    {
        KnownHypervisor? known = _hypervisor;
        if (known is null || !ReferenceEquals(known.Connection, connection))
        {
            known = new KnownHypervisor(connection, connection.GetHypervisorVersion());
            _hypervisor = known;
        }

        return known.Version;
    }

    // Looking: given up at the limit; the call that is left has no effect.

    private Task<T> LookAsync<T>(Func<LibvirtConnection, T> call, CancellationToken cancellationToken) =>
        LookAsync(null, call, cancellationToken);

    private Task<T> LookAtAsync<T>(Guid serverId, Func<LibvirtDomain, T> call, CancellationToken cancellationToken) =>
        LookAsync(serverId, On(serverId, call), cancellationToken);

    private async Task<T> LookAsync<T>(
        Guid? serverId, Func<LibvirtConnection, T> call, CancellationToken cancellationToken)
    {
        try
        {
            Task<T> look = _looking.RunAsync(call).WaitAsync(LookLimit, _time, cancellationToken);
            return await TranslateAsync(look, serverId).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new SnapshotException(
                SnapshotErrorCode.HypervisorUnavailable, $"libvirt has not answered for {LookLimit.TotalSeconds:0} s",
                e);
        }
    }

    // A look that waits for the guest's QEMU: one at a time, so that a guest that hangs holds one thread.
    private Task<T> AskQemuAsync<T>(
        Guid serverId, string name, Func<LibvirtDomain, T> call, CancellationToken cancellationToken) =>
        CallQemuAsync(serverId, name, call, MonitorLimit, cancellationToken);

    private Task<T> CallQemuAsync<T>(
        Guid serverId, string name, Func<LibvirtDomain, T> call, TimeSpan limit, CancellationToken cancellationToken) =>
        TranslateAsync(
            _calls.RunAsync(
                serverId, GuestCallKind.Look, name, () => _looking.RunAsync(On(serverId, call)), limit,
                cancellationToken),
            serverId);

    // Changing: never given up.

    // For a capture. Cancelling has no effect once it has begun: an undo that ran before would find nothing.
    private Task<bool> ChangeAsync(
        Guid serverId, string name, Action<LibvirtDomain> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ChangeAsync(_changing, serverId, name, On(serverId, call), _changeLimit, CancellationToken.None);
    }

    // For an undo, which has its own time: what is in flight when that ends is known to the next try.
    private Task<bool> UndoAsync(
        Guid serverId, string name, Action<LibvirtDomain> call, CancellationToken cancellationToken) =>
        ChangeAsync(_undoing, serverId, name, On(serverId, call), _changeLimit, cancellationToken);

    private Task<bool> ChangeAsync(
        LibvirtPool pool, Guid serverId, string name, Func<LibvirtConnection, bool> call, TimeSpan limit,
        CancellationToken cancellationToken) =>
        TranslateAsync(
            _calls.RunAsync(serverId, GuestCallKind.Change, name, () => pool.RunAsync(call), limit, cancellationToken),
            serverId);

    private static Func<LibvirtConnection, T> On<T>(Guid serverId, Func<LibvirtDomain, T> call) => connection =>
    {
        using LibvirtDomain domain = connection.LookupByUuid(serverId);
        return call(domain);
    };

    private static Func<LibvirtConnection, bool> On(Guid serverId, Action<LibvirtDomain> call) => On(serverId, domain =>
    {
        call(domain);
        return true;
    });

    // Errors

    private async Task<T> TranslateAsync<T>(Task<T> call, Guid? serverId)
    {
        try
        {
            return await call.ConfigureAwait(false);
        }
        catch (LibvirtException e)
        {
            throw Translate(e, serverId);
        }
    }

    private SnapshotException Translate(LibvirtException e, Guid? serverId) => e switch
    {
        { IsConnectionLost: true } =>
            new(SnapshotErrorCode.HypervisorUnavailable, LibvirtTrouble.NoConnection(e), e),
        { Code: LibvirtErrorCode.NoDomain } =>
            new(SnapshotErrorCode.ServerNotFound, "the server is not on this node", e),
        { Code: LibvirtErrorCode.BlockCopyActive } =>
            new(SnapshotErrorCode.ServerBusy, "a block job is at work on the disk", e),
        _ => new(SnapshotErrorCode.HypervisorError, LibvirtTrouble.Failed(e, Words(e, serverId)), e),
    };

    // libvirt's own words; a path of the host becomes the target of the disk that it belongs to.
    private string Words(LibvirtException e, Guid? serverId) =>
        HostText.Clean(e.NativeMessage, serverId is { } id ? _targetsByPath.GetValueOrDefault(id) : null);

    private void Remember(ServerDescription server)
    {
        var targets = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string target, string? path) in server.Disks.SelectMany(
            d => d.Layers.Select(l => (d.Target, l.Path))))
        {
            if (path is { Length: > 0 })
            {
                targets.TryAdd(path, target);
            }
        }

        _targetsByPath[server.Id] = targets;
    }

    private sealed record KnownHypervisor(LibvirtConnection Connection, Version Version);
}
