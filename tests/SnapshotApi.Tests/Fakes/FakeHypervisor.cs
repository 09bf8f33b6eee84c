using System.Collections.Concurrent;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Tests.Fakes;

/// <summary>A libvirt that knows the servers it is given and at most one backup job. What else captures need it does not have.</summary>
internal sealed class FakeHypervisor : IHypervisor
{
    private readonly ConcurrentDictionary<Guid, ServerDescription> _servers = new();

    /// <summary>The limits that block jobs were told; null: none.</summary>
    public List<long?> BlockJobSpeeds { get; } = [];

    private volatile bool _isConnected = true;

    public event Action<Guid?>? InventoryChanged;

    public bool IsConnected => _isConnected;

    public string? Problem => _isConnected ? null : "libvirt does not answer";

    public NodeCapabilities Capabilities { get; set; } = new("QEMU", new Version(9, 0, 0), new Version(7, 2, 0));

    /// <summary>The backup job that is at work; null: none.</summary>
    public string? BackupXml { get; set; }

    /// <summary>What an abort of the backup job does.</summary>
    public Action OnAbort { get; set; } = () => { };

    /// <summary>What the guest agent answers.</summary>
    public FakeAgent Agent { get; } = new();

    /// <summary>libvirt's secrets.</summary>
    public HashSet<string> Secrets { get; } = [];

    /// <summary>How far the block job of any disk is; null: there is none.</summary>
    public Func<BlockJobPosition?> BlockJob { get; set; } = () => null;

    /// <summary>Networks by name, and whether each is active.</summary>
    public Dictionary<string, bool> Networks { get; } = [];

    /// <summary>What was done to servers, in order.</summary>
    public ConcurrentQueue<string> Changes { get; } = new();

    /// <summary>A call that changes the guest and has not ended.</summary>
    public Task InFlight { get; set; } = Task.CompletedTask;

    /// <summary>A running server with one qcow2 disk <c>vda</c>.</summary>
    public static ServerDescription Describe(string name, Guid? id = null, string? activeJob = null) => new(
        id ?? Guid.NewGuid(),
        name,
        ServerPowerState.Running,
        IsPersistent: true,
        "kvm",
        "x86_64",
        "hvm",
        HasAgentChannel: false,
        AgentConnected: false,
        activeJob,
        "64055:64055",
        [
            new DiskDescription(
                "vda", "disk", "file", "qcow2", [new DiskLayer("file", "/var/lib/x.qcow2", "qcow2")], false, false, false, false, 1, null, false),
        ]);

    /// <summary>Adds or changes a server; <paramref name="raiseEvent"/> false: libvirt has not told yet.</summary>
    public ServerDescription Put(ServerDescription server, bool raiseEvent = true)
    {
        _servers[server.Id] = server;
        if (raiseEvent)
        {
            InventoryChanged?.Invoke(server.Id);
        }

        return server;
    }

    public void Remove(Guid id)
    {
        _servers.TryRemove(id, out _);
        InventoryChanged?.Invoke(id);
    }

    public void Connect(bool isConnected)
    {
        _isConnected = isConnected;
        InventoryChanged?.Invoke(null);
    }

    public Task<NodeCapabilities> GetCapabilitiesAsync(CancellationToken cancellationToken) => Answer(() => Capabilities);

    public Task<IReadOnlyList<ServerDescription>> ListServersAsync(CancellationToken cancellationToken) =>
        Answer<IReadOnlyList<ServerDescription>>(() => [.. _servers.Values]);

    public Task<ServerDescription?> FindServerAsync(Guid serverId, CancellationToken cancellationToken) =>
        Answer(() => _servers.GetValueOrDefault(serverId));

    public Task<Guid?> FindIdAsync(string name, CancellationToken cancellationToken) =>
        Answer(() => _servers.Values.FirstOrDefault(s => s.Name == name)?.Id);

    public Task<ServerDescription?> PeekAsync(Guid serverId, CancellationToken cancellationToken) => FindServerAsync(serverId, cancellationToken);

    public Task<bool?> IsNetworkActiveAsync(string name, CancellationToken cancellationToken) => Answer<bool?>(() => Networks.TryGetValue(name, out bool isActive) ? isActive : null);

    public Task<string?> FindMachineObstacleAsync(
        string? emulator, string? architecture, string? machine, string domainType, CancellationToken cancellationToken) => Answer(() => (string?)null);

    public Task<HypervisorHost> DescribeHostAsync(CancellationToken cancellationToken) =>
        Answer(() => new HypervisorHost("/usr/bin/qemu-system-x86_64", "x86_64", "qemu", "+64055:+64055"));

    public Task<bool> HasReadAsync(Guid serverId, string target, CancellationToken cancellationToken) => Answer(() => true);

    public Task RemoveAsync(Guid serverId, CancellationToken cancellationToken) => Answer(() =>
    {
        Changes.Enqueue($"remove {serverId}");
        return _servers.TryRemove(serverId, out _);
    });

    public Task WaitForChangesAsync(Guid serverId, CancellationToken cancellationToken) => InFlight.WaitAsync(cancellationToken);

    public Task<DiskUsage> GetDiskUsageAsync(Guid serverId, string target, CancellationToken cancellationToken) => throw Missing();

    public Task<ServerDescription?> FindSavedAsync(Guid serverId, CancellationToken cancellationToken) => Answer(() => (ServerDescription?)null);

    public Task<bool> HasSecretAsync(string name, CancellationToken cancellationToken) => Answer(() => Secrets.Contains(name));

    public Task<string> GetInactiveXmlAsync(Guid serverId, CancellationToken cancellationToken) => throw Missing();

    public Task ManagedSaveAsync(Guid serverId, SavedState savedState, CancellationToken cancellationToken) => throw Missing();

    public Task WaitForSaveEndAsync(Guid serverId, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(Guid serverId, CancellationToken cancellationToken) => Change($"start {serverId}", serverId, s => s with { PowerState = ServerPowerState.Running });

    public Task SuspendAsync(Guid serverId, CancellationToken cancellationToken) =>
        Change($"suspend {serverId}", serverId, s => s with { PowerState = ServerPowerState.Paused, StateReason = "user" });

    public Task ResumeAsync(Guid serverId, CancellationToken cancellationToken) =>
        Change($"resume {serverId}", serverId, s => s with { PowerState = ServerPowerState.Running, StateReason = null });

    public Task UndefineKeepingAllAsync(Guid serverId, bool canKeepTpm, CancellationToken cancellationToken) => throw Missing();

    public Task DefineAsync(Guid serverId, string xml, CancellationToken cancellationToken) =>
        Change($"define {serverId}", serverId, s => s with { IsPersistent = true, IsAutostart = false });

    public Task SetAutostartAsync(Guid serverId, bool isAutostart, CancellationToken cancellationToken) =>
        Change($"autostart {isAutostart} {serverId}", serverId, s => s with { IsAutostart = isAutostart });

    public Task BlockCopyAsync(BlockCopyRequest request, CancellationToken cancellationToken) => throw Missing();

    public Task BlockRebaseAsync(BlockCopyRequest request, CancellationToken cancellationToken) => throw Missing();

    public Task<IBlockJobWatch> WatchBlockJobsAsync(Guid serverId, CancellationToken cancellationToken) => throw Missing();

    public Task<BlockJobPosition?> GetBlockJobAsync(Guid serverId, string target, CancellationToken cancellationToken) => Answer(() => BlockJob());

    public Task SetBlockJobSpeedAsync(Guid serverId, string target, long? bandwidthBytesPerSecond, CancellationToken cancellationToken)
    {
        BlockJobSpeeds.Add(bandwidthBytesPerSecond);
        return Task.CompletedTask;
    }

    public Task AbortBlockJobAsync(Guid serverId, string target, CancellationToken cancellationToken) => throw Missing();

    public Task BeginBackupAsync(Guid serverId, string backupXml, bool hasFiles, CancellationToken cancellationToken) =>
        throw Missing();

    public Task<string?> GetBackupXmlAsync(Guid serverId, CancellationToken cancellationToken) => Answer(() => BackupXml);

    public async Task AbortDomainJobAsync(Guid serverId, CancellationToken cancellationToken)
    {
        await Answer(() => true);
        OnAbort();
    }

    public Task<bool?> IsFrozenAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken) => Answer(() => Agent.IsFrozen());

    public Task<int> FreezeAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken) => Answer(() => Agent.Freeze());

    public Task<int> ThawAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken) => Answer(() =>
    {
        Changes.Enqueue($"thaw {serverId}");
        return Agent.Thaw();
    });

    public Task<TimeSpan> SetClockAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken) => Answer(() => Agent.SetClock());

    public Task<IServerWatch> WatchServerAsync(Guid serverId, CancellationToken cancellationToken) => throw Missing();

    private Task<bool> Change(string what, Guid serverId, Func<ServerDescription, ServerDescription> change) => Answer(() =>
    {
        Changes.Enqueue(what);
        if (_servers.TryGetValue(serverId, out ServerDescription? server))
        {
            _servers[serverId] = change(server);
        }

        return true;
    });

    private static NotSupportedException Missing() => new("this fake has servers, but does nothing to them");

    private Task<T> Answer<T>(Func<T> answer) => _isConnected
        ? Task.FromResult(answer())
        : Task.FromException<T>(new SnapshotException(SnapshotErrorCode.HypervisorUnavailable, "libvirt does not answer"));
}

/// <summary>What a guest agent answers; each may be replaced, also by one that throws.</summary>
internal sealed class FakeAgent
{
    public Func<bool?> IsFrozen { get; set; } = () => false;

    public Func<int> Freeze { get; set; } = () => 1;

    public Func<int> Thaw { get; set; } = () => 1;

    public Func<TimeSpan> SetClock { get; set; } = () => TimeSpan.Zero;
}
