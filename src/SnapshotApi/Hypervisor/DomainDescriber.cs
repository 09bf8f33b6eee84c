using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// Reads a <see cref="ServerDescription"/> of a live domain: XML and state, for which libvirt does not ask QEMU, then
/// the jobs that these do not show, for which it may have to. Every method blocks.
/// </summary>
internal static class DomainDescriber
{
    /// <summary>Name of the job that saves a guest's memory.</summary>
    public const string SaveJob = "save";

    private const string BackupJob = "backup";

    /// <summary>Describes a domain by what libvirt knows without asking QEMU.</summary>
    /// <exception cref="LibvirtException">The domain is gone, or the connection is.</exception>
    public static ServerDescription Describe(LibvirtDomain domain)
    {
        (DomainState state, int reason) = domain.GetState();
        bool isPersistent = domain.IsPersistent;
        bool isActive =
            state is DomainState.Running or DomainState.Blocked or DomainState.Paused or DomainState.PmSuspended;
        ServerDescription server = DomainXmlReader.Read(
            domain.GetXml(DomainXmlFlags.None),
            PowerState(domain, state),
            isPersistent,
            isActive && BackupXmlOf(domain) is not null ? BackupJob : null);
        return server with
        {
            StateReason = ReasonOf(state, reason),
            IsAutostart = isPersistent && Ask(() => domain.IsAutostart, false),
        };
    }

    /// <summary>Adds where the volumes of pools lie. Waits for a pool that is being refreshed.</summary>
    public static ServerDescription WithVolumes(LibvirtDomain domain, ServerDescription server) =>
        server with { Disks = [.. server.Disks.Select(d => WithVolumes(domain, d))] };

    /// <summary>The server with its volumes where nobody can say where they lie.</summary>
    public static ServerDescription WithoutVolumes(ServerDescription server) => server with
    {
        Disks = [.. server.Disks.Select(d => d with { Layers = [.. d.Layers.Select(WithoutVolume)] })],
    };

    /// <summary>What the control channel of the domain is doing; free for a domain that has none.</summary>
    public static DomainControl ControlOf(LibvirtDomain domain) => Ask(domain.GetControl, default);

    /// <summary>A domain of which libvirt tells no more than that it is there.</summary>
    public static ServerDescription Undescribed(Guid id, string name, string why) =>
        new(id, name, ServerPowerState.Other, true, "", null, "", false, false, null, null, []) { NotAnswering = why };

    /// <summary>Adds the jobs at work on an active domain. Waits for its QEMU.</summary>
    public static ServerDescription WithJobs(LibvirtDomain domain, ServerDescription server) => server with
    {
        ActiveJob = server.ActiveJob ?? ActiveJob(domain),
        Disks = [.. server.Disks.Select(d => WithBlockJob(domain, d))],
    };

    /// <summary>The memory of the domain is being saved now.</summary>
    public static bool IsSaving(LibvirtDomain domain) => ActiveJob(domain) == SaveJob;

    /// <summary>The backup job at work; null: there is none, or no QEMU process. Never waits for the guest.</summary>
    public static string? BackupXmlOf(LibvirtDomain domain) => Ask(domain.GetBackupXml, null);

    // Its own type becomes that of what it is on.
    private static DiskDescription WithVolumes(LibvirtDomain domain, DiskDescription disk)
    {
        if (disk.Layers.All(l => l.Volume is null))
        {
            return disk;
        }

        List<DiskLayer> layers = [.. disk.Layers.Select(l => l.Volume is { } volume ? Resolve(domain, l, volume) : l)];
        return disk with { Layers = layers, SourceType = layers[0].SourceType };
    }

    private static DiskLayer Resolve(LibvirtDomain domain, DiskLayer layer, PoolVolume volume)
    {
        if (volume.IsDirect)
        {
            return layer with { SourceType = "network", Volume = null };
        }

        try
        {
            StorageVolume found = domain.FindVolume(volume.Pool, volume.Name);
            return found.Type switch
            {
                StorageVolumeType.File => new DiskLayer("file", found.Path, layer.Format),
                StorageVolumeType.Block => new DiskLayer("block", found.Path, layer.Format),
                StorageVolumeType.Network => new DiskLayer("network", null, layer.Format),
                _ => layer with
                {
                    PathObstacle =
                        $"lies in storage pool '{volume.Pool}' as something that is neither a file nor a device",
                },
            };
        }
        catch (LibvirtException e)
        {
            return layer with { PathObstacle = ObstacleOf(volume, e) };
        }
    }

    private static string ObstacleOf(PoolVolume volume, LibvirtException e) => e.Code switch
    {
        LibvirtErrorCode.OperationInvalid => $"lies in storage pool '{volume.Pool}', which is not active",
        LibvirtErrorCode.NoStoragePool => $"lies in storage pool '{volume.Pool}', which this node does not have",
        LibvirtErrorCode.NoStorageVol =>
            $"is volume '{volume.Name}' of storage pool '{volume.Pool}', which the pool does not list: it may have to "
                + "be refreshed",
        _ => $"lies in storage pool '{volume.Pool}', which can't be asked for it ({e.Code})",
    };

    private static DiskLayer WithoutVolume(DiskLayer layer) => layer.Volume is { } volume
        ? layer with { PathObstacle = $"lies in storage pool '{volume.Pool}', which does not answer" }
        : layer;

    // The driver (test, LXC), or an older libvirt, has no such thing; or the domain has no process (any more).
    private static T Ask<T>(Func<T> ask, T without)
    {
        try
        {
            return ask();
        }
        catch (LibvirtException e) when (e.Code is LibvirtErrorCode.NoSupport or LibvirtErrorCode.OperationInvalid
            or LibvirtErrorCode.OperationUnsupported)
        {
            return without;
        }
    }

    private static ServerPowerState PowerState(LibvirtDomain domain, DomainState state) => state switch
    {
        DomainState.Running or DomainState.Blocked => ServerPowerState.Running,
        DomainState.Paused => ServerPowerState.Paused,
        DomainState.PmSuspended => ServerPowerState.Suspended,
        DomainState.ShutOff => HasManagedSave(domain) ? ServerPowerState.Saved : ServerPowerState.ShutOff,
        _ => ServerPowerState.Other,
    };

    private static string? ReasonOf(DomainState state, int reason) => state switch
    {
        DomainState.Paused => ((DomainPausedReason)reason).ToSnakeCase(),
        DomainState.ShutOff => ((DomainShutOffReason)reason).ToSnakeCase(),
        _ => null,
    };

    private static bool HasManagedSave(LibvirtDomain domain)
    {
        try
        {
            return domain.HasManagedSave;
        }
        catch (LibvirtException e) when (e.Code is LibvirtErrorCode.NoSupport)
        {
            // LXC can't save.
            return false;
        }
    }

    private static string? ActiveJob(LibvirtDomain domain)
    {
        try
        {
            return Ask(() => NameOf(domain.GetJobStats()), null);
        }
        catch (LibvirtException e) when (e is { Code: LibvirtErrorCode.InternalError, IsConnectionLost: false })
        {
            // "backup job data missing": the first and the last instants of a backup have no numbers.
            return BackupJob;
        }
    }

    private static string? NameOf(DomainJobStats job) => job switch
    {
        { Type: DomainJobType.None or DomainJobType.Completed or DomainJobType.Failed or DomainJobType.Cancelled } =>
            null,
        { Operation: DomainJobOperation.Backup } => BackupJob,
        { Operation: DomainJobOperation.Save } => SaveJob,
        { Operation: DomainJobOperation.MigrationOut or DomainJobOperation.MigrationIn } => "migration",
        { Operation: DomainJobOperation.Snapshot or DomainJobOperation.SnapshotRevert } => "snapshot",
        { Operation: DomainJobOperation.Dump } => "dump",
        _ => "domain",
    };

    // A pull or an intermediate commit leaves no trace in the XML.
    private static DiskDescription WithBlockJob(LibvirtDomain domain, DiskDescription disk) =>
        disk.IsHardDisk && disk.MirrorPath is null && Ask(() => domain.GetBlockJobInfo(disk.Target), null) is not null
            ? disk with { MirrorPath = "" }
            : disk;
}
