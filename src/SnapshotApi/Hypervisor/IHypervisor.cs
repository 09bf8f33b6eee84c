namespace SnapshotApi.Hypervisor;

/// <summary>
/// What the captures and the inventory need of libvirt: a narrow seam, so that failures can be injected. Calls run on
/// dedicated threads, never on the pool. At most one call that changes a guest is in flight on it. A call that libvirt fails throws <c>SnapshotException</c>:
/// <c>hypervisor_unavailable</c> when the daemon does not answer, <c>server_not_found</c>, else <c>hypervisor_error</c>.
/// </summary>
internal interface IHypervisor
{
    /// <summary>libvirt answers.</summary>
    bool IsConnected { get; }

    /// <summary>
    /// Raised when a server was defined, undefined, started, stopped, suspended or resumed, or (null) when the connection was lost
    /// or came back. On libvirt's event thread: return at once.
    /// </summary>
    event Action<Guid?>? InventoryChanged;

    /// <summary>Versions and what they allow.</summary>
    Task<NodeCapabilities> GetCapabilitiesAsync(CancellationToken cancellationToken);

    /// <summary>Every server of the node, described.</summary>
    Task<IReadOnlyList<ServerDescription>> ListServersAsync(CancellationToken cancellationToken);

    /// <summary>
    /// One server, described from its live XML, with the jobs at work on it; null when there is none. A guest whose QEMU does not answer within seconds
    /// is described without them, and says so (<see cref="ServerDescription.NotAnswering"/>).
    /// </summary>
    Task<ServerDescription?> FindServerAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>The same by what libvirt knows without asking QEMU: state, definition, mirrors and backups, but no other jobs.</summary>
    Task<ServerDescription?> FindServerQuietlyAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Whether a virtual network is active; null: there is none of that name.</summary>
    Task<bool?> IsNetworkActiveAsync(string name, CancellationToken cancellationToken);

    /// <summary>Why this libvirt has no such machine; null: it has. May probe QEMU, which takes seconds.</summary>
    Task<string?> FindMachineObstacleAsync(string? emulator, string? architecture, string? machine, string domainType, CancellationToken cancellationToken);

    /// <summary>Returns when no call that changes the guest is in flight: an undo that looked before would find nothing to undo.</summary>
    /// <exception cref="OperationCanceledException">One is, and the token ended the wait.</exception>
    Task WaitForChangesAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Size and allocation of a disk, as libvirt reports them.</summary>
    Task<DiskUsage> GetDiskUsageAsync(Guid serverId, string target, CancellationToken cancellationToken);

    /// <summary>The server as its saved image has it, and as it starts again; null when there is no such image, or libvirt is older than 3.7.</summary>
    Task<ServerDescription?> FindSavedAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>libvirt has a secret.</summary>
    /// <param name="name">Its UUID, or <c>type usage</c>, as <c>&lt;secret></c> names it.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    Task<bool> HasSecretAsync(string name, CancellationToken cancellationToken);

    /// <summary>Inactive, security-sensitive XML: what a redefinition needs.</summary>
    Task<string> GetInactiveXmlAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>
    /// Saves the guest's memory and ends its process. Has no limit of time as long as it moves. Cancelled, it is aborted, and its end is waited for.
    /// </summary>
    Task ManagedSaveAsync(Guid serverId, SavedState savedState, CancellationToken cancellationToken);

    /// <summary>Waits until a save that is in progress has ended; returns at once when none is.</summary>
    Task WaitForSaveEndAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Starts the server; from its managed save image, if it has one, it goes on as it was saved, running or paused.</summary>
    Task StartAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Stops the CPUs.</summary>
    Task SuspendAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Lets the CPUs run.</summary>
    Task ResumeAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Removes the definition of a running server; NVRAM, TPM state, managed save and checkpoints are kept.</summary>
    /// <param name="serverId">The server.</param>
    /// <param name="canKeepTpm">libvirt knows the flag for it; an older one keeps the state always.</param>
    /// <param name="cancellationToken">Has no effect once the call is begun.</param>
    Task UndefineKeepingAllAsync(Guid serverId, bool canKeepTpm, CancellationToken cancellationToken);

    /// <summary>Defines a server from its XML.</summary>
    Task DefineAsync(Guid serverId, string xml, CancellationToken cancellationToken);

    /// <summary>Says whether a persistent server is started with the host.</summary>
    Task SetAutostartAsync(Guid serverId, bool isAutostart, CancellationToken cancellationToken);

    /// <summary>
    /// Begins to copy a disk into an existing file (<c>REUSE_EXT</c>) while the server stays persistent (<c>TRANSIENT_JOB</c>).
    /// </summary>
    Task BlockCopyAsync(BlockCopyRequest request, CancellationToken cancellationToken);

    /// <summary>The same by virDomainBlockRebase(COPY), for which the server must be transient.</summary>
    Task BlockRebaseAsync(BlockCopyRequest request, CancellationToken cancellationToken);

    /// <summary>Follows the block jobs of a server: events first. The caller disposes the watch. Begin it before the job.</summary>
    Task<IBlockJobWatch> WatchBlockJobsAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Position of the block job on a disk; null when there is none.</summary>
    Task<BlockJobPosition?> GetBlockJobAsync(Guid serverId, string target, CancellationToken cancellationToken);

    /// <summary>Sets the limit of the block job on a disk, in bytes a second; null: none.</summary>
    Task SetBlockJobSpeedAsync(Guid serverId, string target, long? bandwidthBytesPerSecond, CancellationToken cancellationToken);

    /// <summary>Ends the block job on a disk without pivot.</summary>
    Task AbortBlockJobAsync(Guid serverId, string target, CancellationToken cancellationToken);

    /// <summary>Begins a backup job in pull mode.</summary>
    Task BeginBackupAsync(Guid serverId, string backupXml, CancellationToken cancellationToken);

    /// <summary>XML of the backup job at work; null when there is none, or no server. Never waits for QEMU.</summary>
    Task<string?> GetBackupXmlAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>Ends the domain job at work (the backup job).</summary>
    Task AbortDomainJobAsync(Guid serverId, CancellationToken cancellationToken);

    /// <summary>The guest's file systems are frozen, by whomever; null: the agent does not say.</summary>
    /// <exception cref="Errors.SnapshotException">quiesce_failed: the agent did not answer.</exception>
    Task<bool?> IsFrozenAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken);

    /// <summary>Freezes the guest's file systems; returns how many. Ended by libvirt at the deadline: the agent may still do it later.</summary>
    Task<int> FreezeAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken);

    /// <summary>Thaws the guest's file systems; returns how many.</summary>
    Task<int> ThawAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken);

    /// <summary>Sets the guest's clock by its agent; returns by how much it is behind afterwards.</summary>
    /// <exception cref="Errors.SnapshotException">quiesce_failed: the agent did not answer, or can't.</exception>
    Task<TimeSpan> SetClockAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken);

    /// <summary>Follows what happens to a server while it is captured: stops, I/O errors. The caller disposes the watch.</summary>
    Task<IServerWatch> WatchServerAsync(Guid serverId, CancellationToken cancellationToken);
}

/// <summary>How a saved server goes on when it is started.</summary>
internal enum SavedState
{
    /// <summary>As it is when it is saved.</summary>
    AsItIs,

    /// <summary>It runs, although its CPUs are stopped now.</summary>
    Running,

    /// <summary>It is paused.</summary>
    Paused,
}

/// <summary>A block copy to be begun.</summary>
/// <param name="ServerId">UUID of the server.</param>
/// <param name="Target">Disk, for example <c>vda</c>.</param>
/// <param name="DestinationPath">Existing qcow2 file.</param>
/// <param name="Shallow">Copy the top layer only; the destination has the same backing chain.</param>
/// <param name="BandwidthBytesPerSecond">Limit; null: none.</param>
internal sealed record BlockCopyRequest(
    Guid ServerId, string Target, string DestinationPath, bool Shallow, long? BandwidthBytesPerSecond);

/// <summary>Position of a block job, in bytes of its own scale. Equality of both is no proof that it is ready.</summary>
internal readonly record struct BlockJobPosition(long CurrentBytes, long EndBytes);

/// <summary>Size of a disk.</summary>
/// <param name="VirtualSizeBytes">What the guest sees.</param>
/// <param name="AllocationBytes">What its top layer occupies on the host.</param>
internal readonly record struct DiskUsage(long VirtualSizeBytes, long AllocationBytes);

/// <summary>Registers the node's connection to libvirt.</summary>
internal static class HypervisorRegistration
{
    /// <summary>libvirt, opened in the background and again whenever it was lost.</summary>
    public static IServiceCollection AddHypervisor(this IServiceCollection services) =>
        services.AddHostedService<EventFailureLog>().AddSingleton<IHypervisor, LibvirtHypervisor>();
}
