using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// <see cref="IHypervisor"/> over libvirt's C API. Every call runs on a thread of its own, for it may block as long as libvirtd or
/// the guest agent pleases. A caller may give up a call that only looks, or that asks the guest agent; one that changes the guest is
/// waited for.
/// </summary>
internal sealed partial class LibvirtHypervisor : IHypervisor, IDisposable
{
    private readonly LibvirtSession _session;
    private readonly LibvirtEvents _events;
    private readonly TimeProvider _time;
    private readonly string? _snapshotImageFormat;
    private volatile KnownHypervisor? _hypervisor;

    public LibvirtHypervisor(IOptions<NodeOptions> options, TimeProvider time, ILogger<LibvirtHypervisor> logger)
    {
        _time = time;
        _snapshotImageFormat = options.Value.SnapshotImageFormat;
        _session = new LibvirtSession(new LibvirtSessionOptions(options.Value.LibvirtUri));
        _events = new LibvirtEvents(_session, () => InventoryChanged, logger);
        _session.Start();
    }

    public event Action<Guid?>? InventoryChanged;

    public bool IsConnected => _session.IsConnected;

    public Task<NodeCapabilities> GetCapabilitiesAsync(CancellationToken cancellationToken) => RunAsync(
        connection => new NodeCapabilities(connection.GetDriverName(), connection.GetLibvirtVersion(), HypervisorVersionOf(connection))
        {
            SnapshotImageFormat = _snapshotImageFormat,
        },
        cancellationToken);

    public Task<IReadOnlyList<ServerDescription>> ListServersAsync(CancellationToken cancellationToken) => RunAsync(
        connection =>
        {
            var servers = new List<ServerDescription>();
            foreach (LibvirtDomain domain in connection.ListDomains())
            {
                using (domain)
                {
                    try
                    {
                        servers.Add(DomainDescriber.Describe(domain));
                    }
                    catch (LibvirtException e) when (e.Code == LibvirtErrorCode.NoDomain)
                    {
                        // Gone since it was listed.
                    }
                }
            }

            return (IReadOnlyList<ServerDescription>)servers;
        },
        cancellationToken);

    public async Task<ServerDescription?> FindServerAsync(Guid serverId, CancellationToken cancellationToken)
    {
        try
        {
            return await OnDomainAsync(serverId, DomainDescriber.Describe, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.ServerNotFound)
        {
            return null;
        }
    }

    public Task<DiskUsage> GetDiskUsageAsync(Guid serverId, string target, CancellationToken cancellationToken) => OnDomainAsync(
        serverId,
        domain =>
        {
            BlockInfo info = domain.GetBlockInfo(target);
            return new DiskUsage((long)info.CapacityBytes, (long)info.AllocationBytes);
        },
        cancellationToken);

    public Task<string> GetInactiveXmlAsync(Guid serverId, CancellationToken cancellationToken) =>
        OnDomainAsync(serverId, domain => domain.GetXml(DomainXmlFlags.Inactive | DomainXmlFlags.Secure), cancellationToken);

    public Task UndefineKeepingAllAsync(Guid serverId, CancellationToken cancellationToken) => OnDomainAsync(
        serverId, domain => domain.Undefine(UndefineFlags.KeepNvram | UndefineFlags.KeepTpm), cancellationToken);

    public Task DefineAsync(string xml, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return RunAsync(
            connection =>
            {
                connection.DefineXml(xml).Dispose();
                return true;
            },
            CancellationToken.None);
    }

    public async Task<IServerWatch> WatchServerAsync(Guid serverId, CancellationToken cancellationToken)
    {
        await RunAsync(_ => true, cancellationToken).ConfigureAwait(false);
        return _events.WatchServer(serverId);
    }

    public async Task<IBlockJobWatch> WatchBlockJobsAsync(Guid serverId, CancellationToken cancellationToken)
    {
        await RunAsync(_ => true, cancellationToken).ConfigureAwait(false);
        return _events.WatchBlockJobs(serverId);
    }

    public void Dispose()
    {
        _events.Dispose();
        _session.Dispose();
    }

    // libvirt looks at QEMU's binary to tell its version, and probes it anew if it finds it, or the host, changed: that takes seconds on a
    // busy node. The other versions it knows by itself. So it is asked once per connection: a sign of life must not wait for a probe.
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

    // What changes the guest is never given up halfway: an undo that ran before the call had its effect would find nothing to undo.
    private Task<bool> OnDomainAsync(Guid serverId, Action<LibvirtDomain> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return OnDomainAsync(
            serverId,
            domain =>
            {
                call(domain);
                return true;
            },
            CancellationToken.None);
    }

    private Task<T> OnDomainAsync<T>(Guid serverId, Func<LibvirtDomain, T> call, CancellationToken cancellationToken) => RunAsync(
        connection =>
        {
            using LibvirtDomain domain = connection.LookupByUuid(serverId);
            return call(domain);
        },
        cancellationToken);

    private async Task<T> RunAsync<T>(Func<LibvirtConnection, T> call, CancellationToken cancellationToken)
    {
        Task<T> running = Task.Factory.StartNew(
            () => call(_session.GetConnection()), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            return await running.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (LibvirtException e)
        {
            _session.ReportFailure(e);
            throw Translate(e);
        }
    }

    private static SnapshotException Translate(LibvirtException e) => e switch
    {
        { IsConnectionLost: true } => new SnapshotException(
            SnapshotErrorCode.HypervisorUnavailable, "libvirt does not answer on this node", e),
        { Code: LibvirtErrorCode.NoDomain } => new SnapshotException(
            SnapshotErrorCode.ServerNotFound, "the server is not on this node", e),
        { Code: LibvirtErrorCode.BlockCopyActive } => new SnapshotException(
            SnapshotErrorCode.ServerBusy, "a block job is at work on the disk", e),
        _ => new SnapshotException(SnapshotErrorCode.HypervisorError, $"{e.Function} failed ({e.Code})", e),
    };

    private sealed record KnownHypervisor(LibvirtConnection Connection, Version Version);
}
