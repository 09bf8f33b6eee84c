namespace SnapshotApi.Hypervisor;

/// <summary>
/// What captures and inventory need of libvirt: a narrow seam, so that failures can be injected. At most one call that
/// changes a guest is in flight on it. What libvirt fails throws <c>SnapshotException</c>:
/// <c>hypervisor_unavailable</c> when the daemon does not answer, <c>server_not_found</c>, else
/// <c>hypervisor_error</c>.
/// </summary>
internal interface IHypervisor
{
    bool IsConnected { get; }

    /// <summary>Why there is no connection, with the cure, in one sentence; null: there is one.</summary>
    string? Problem { get; }

    /// <summary>A server changed; null: the connection did. On libvirt's event thread: return at once.</summary>
    event Action<Guid?>? InventoryChanged;

    Task<NodeCapabilities> GetCapabilitiesAsync(CancellationToken cancellationToken);

    Task<IReadOnlyList<ServerDescription>> ListServersAsync(CancellationToken cancellationToken);

    /// <summary>Null without the server. Without jobs if its QEMU does not answer within seconds.</summary>
    Task<ServerDescription?> FindServerAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>The UUID of the server of that name; null: there is none.</summary>
    Task<Guid?> FindIdAsync(string name, CancellationToken cancellationToken);

    /// <summary>What libvirt knows without asking QEMU: all but jobs other than mirrors and backups.</summary>
    Task<ServerDescription?> PeekAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Whether a virtual network is active; null: there is none of that name.</summary>
    Task<bool?> IsNetworkActiveAsync(string name, CancellationToken cancellationToken);

    /// <summary>Why this libvirt has no such machine; null: it has. May probe QEMU, which takes seconds.</summary>
    Task<string?> FindMachineObstacleAsync(
        string? emulator, string? architecture, string? machine, string domainType,
        CancellationToken cancellationToken);

    /// <summary>What guests are made of by default; QEMU only. May probe QEMU, which takes seconds.</summary>
    Task<HypervisorHost> DescribeHostAsync(CancellationToken cancellationToken);

    /// <summary>The guest has read from that disk since its start: its driver is at work.</summary>
    Task<bool> HasReadAsync(Guid serverId, string target, CancellationToken cancellationToken);

    /// <summary>Ends a guest and removes its definition with all that libvirt keeps of it. For canaries.</summary>
    Task RemoveAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Waits for calls that change the guest: an undo would find nothing to undo before.</summary>
    Task WaitForChangesAsync(Guid serverId, CancellationToken cancellationToken);

    Task<DiskUsage> GetDiskUsageAsync(Guid serverId, string target, CancellationToken cancellationToken);

    /// <summary>The server as it starts from its saved image; null without one, or before libvirt 3.7.</summary>
    Task<ServerDescription?> FindSavedAsync(Guid serverId, CancellationToken cancellationToken);

    /// <param name="name">Its UUID, or <c>type usage</c>, as <c>&lt;secret></c> names it.</param>
    Task<bool> HasSecretAsync(string name, CancellationToken cancellationToken);

    /// <summary>Inactive, security-sensitive XML: what a redefinition needs.</summary>
    Task<string> GetInactiveXmlAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Saves the guest's memory and ends its process. Cancelled, it is aborted and waited for.</summary>
    Task ManagedSaveAsync(Guid serverId, SavedState savedState, CancellationToken cancellationToken);

    /// <summary>Waits for the end of a save that is in progress.</summary>
    Task WaitForSaveEndAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Starts the server; from a managed save image it goes on as it was saved, running or paused.</summary>
    Task StartAsync(Guid serverId, CancellationToken cancellationToken);

    Task SuspendAsync(Guid serverId, CancellationToken cancellationToken);

    Task ResumeAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Removes the definition of a running server; NVRAM, TPM, saved image and checkpoints stay.</summary>
    /// <param name="canKeepTpm">libvirt knows the flag; an older one always keeps the TPM's state.</param>
    Task UndefineKeepingAllAsync(Guid serverId, bool canKeepTpm, CancellationToken cancellationToken);

    Task DefineAsync(Guid serverId, string xml, CancellationToken cancellationToken);

    Task SetAutostartAsync(Guid serverId, bool isAutostart, CancellationToken cancellationToken);

    /// <summary>Copies a disk into an existing file (<c>REUSE_EXT</c>), as a <c>TRANSIENT_JOB</c>.</summary>
    Task BlockCopyAsync(BlockCopyRequest request, CancellationToken cancellationToken);

    /// <summary>The same by virDomainBlockRebase(COPY), for which the server must be transient.</summary>
    Task BlockRebaseAsync(BlockCopyRequest request, CancellationToken cancellationToken);

    /// <summary>Follows the block jobs of a server. Begin the watch before the job; the caller disposes it.</summary>
    Task<IBlockJobWatch> WatchBlockJobsAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Position of the block job on a disk; null when there is none.</summary>
    Task<BlockJobPosition?> GetBlockJobAsync(Guid serverId, string target, CancellationToken cancellationToken);

    /// <summary>Limits the block job on a disk; null: no limit.</summary>
    Task SetBlockJobSpeedAsync(
        Guid serverId, string target, long? bandwidthBytesPerSecond, CancellationToken cancellationToken);

    /// <summary>Ends the block job on a disk without pivot.</summary>
    Task AbortBlockJobAsync(Guid serverId, string target, CancellationToken cancellationToken);

    /// <summary>Begins a backup job in pull mode.</summary>
    Task BeginBackupAsync(Guid serverId, string backupXml, bool hasFiles, CancellationToken cancellationToken);

    /// <summary>XML of the backup job at work; null without one, or without the server. Never waits for QEMU.</summary>
    Task<string?> GetBackupXmlAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Ends the domain job at work (the backup job).</summary>
    Task AbortDomainJobAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Anybody has frozen the guest's file systems; null: the agent does not say.</summary>
    /// <exception cref="Errors.SnapshotException">quiesce_failed: the agent did not answer.</exception>
    Task<bool?> IsFrozenAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken);

    /// <summary>Freezes the guest's file systems; returns how many. The agent may still do it later.</summary>
    Task<int> FreezeAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken);

    /// <summary>Thaws the guest's file systems; returns how many.</summary>
    Task<int> ThawAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken);

    /// <summary>Sets the guest's clock by its agent; returns by how much it is behind afterwards.</summary>
    /// <exception cref="Errors.SnapshotException">quiesce_failed: the agent did not answer, or can't.</exception>
    Task<TimeSpan> SetClockAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken);

    /// <summary>Follows stops and I/O errors of a server while it is captured. The caller disposes the watch.</summary>
    Task<IServerWatch> WatchServerAsync(Guid serverId, CancellationToken cancellationToken);
}

/// <summary>How a saved server goes on when it is started.</summary>
internal enum SavedState
{
    AsItIs,
    /// <summary>It runs, although its CPUs are stopped now.</summary>
    Running,
    Paused,
}

/// <summary>A block copy to be begun.</summary>
/// <param name="Target">Disk, for example <c>vda</c>.</param>
/// <param name="DestinationPath">Existing qcow2 file.</param>
/// <param name="Shallow">Copy the top layer only; the destination has the same backing chain.</param>
/// <param name="BandwidthBytesPerSecond">Null: no limit.</param>
internal sealed record BlockCopyRequest(
    Guid ServerId, string Target, string DestinationPath, bool Shallow, long? BandwidthBytesPerSecond);

/// <summary>Position of a block job, on a scale of its own. Equal values do not prove that it is ready.</summary>
internal readonly record struct BlockJobPosition(long CurrentBytes, long EndBytes);

/// <summary>Size of a disk.</summary>
/// <param name="VirtualSizeBytes">What the guest sees.</param>
/// <param name="AllocationBytes">What its top layer occupies on the host.</param>
internal readonly record struct DiskUsage(long VirtualSizeBytes, long AllocationBytes);

internal static class HypervisorRegistration
{
    /// <summary>libvirt, opened in the background, and again when it was lost.</summary>
    public static IServiceCollection AddHypervisor(this IServiceCollection services) =>
        services.AddHostedService<EventFailureLog>().AddSingleton<IHypervisor, LibvirtHypervisor>();
}
