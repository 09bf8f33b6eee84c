using System.Text.Json.Serialization;

namespace SnapshotApi.Hypervisor;

/// <summary>All that a plan needs to know of a server, read in one go; also the node's inventory.</summary>
/// <param name="IsPersistent">It has a definition that outlives its process.</param>
/// <param name="DomainType"><c>kvm</c>, <c>qemu</c>, <c>lxc</c>, <c>test</c>.</param>
/// <param name="Architecture">For example <c>x86_64</c>; null when the XML names none.</param>
/// <param name="OsType"><c>hvm</c>, <c>exe</c>.</param>
/// <param name="HasAgentChannel">A guest-agent channel is defined.</param>
/// <param name="AgentConnected">The agent in the guest has opened its end of the channel.</param>
/// <param name="ActiveJob">The job at work: <c>backup</c>, <c>migration</c>, <c>save</c>...; null for none.</param>
/// <param name="QemuOwner">User and group of QEMU, as the DAC label has them; null when off or unknown.</param>
/// <param name="Disks">Every disk, in XML order.</param>
internal sealed record ServerDescription(
    Guid Id, string Name, ServerPowerState PowerState, bool IsPersistent, string DomainType, string? Architecture,
    string OsType, bool HasAgentChannel, bool AgentConnected, string? ActiveJob, string? QemuOwner,
    IReadOnlyList<DiskDescription> Disks)
{
    /// <summary>What Nova wrote into its definition; null when it is not Nova's.</summary>
    public NovaOrigin? Nova { get; init; }

    /// <summary>The machine that the guest sees; null for a container, and in rows of older nodes.</summary>
    public VirtualHardware? Hardware { get; init; }

    /// <summary>Number of the running domain, a new one with each start; null while it is off.</summary>
    public int? DomainId { get; init; }

    /// <summary>The node that it is a throw-away guest of, to prove captures on; null: it is a real one.</summary>
    [JsonIgnore]
    public string? CanaryOf { get; init; }

    /// <summary>Why it is in its power state: libvirt's <c>user</c>, <c>io_error</c>...; null: unknown.</summary>
    public string? StateReason { get; init; }

    /// <summary>libvirt starts it with the host.</summary>
    public bool IsAutostart { get; init; }

    /// <summary>Why only a part is known: its QEMU, or libvirt for it, does not answer. Null: all is known.</summary>
    public string? NotAnswering { get; init; }

    /// <summary>What keeps libvirt from saving the guest's memory; null: nothing that the definition tells.</summary>
    public string? SaveObstacle { get; init; }

    /// <summary>Why a save would not bring the guest back as it is: libvirt restores no reason of a pause.</summary>
    [JsonIgnore]
    public string? PauseObstacle => this switch
    {
        { PowerState: ServerPowerState.Suspended } => "it sleeps (suspend to RAM), and would be awake",
        { PowerState: ServerPowerState.Paused, StateReason: "io_error" } =>
            "it is paused for an I/O error, and would be paused for no reason",
        _ => null,
    };

    /// <summary>What would keep it from starting again, as far as the node can see; null: nothing.</summary>
    public string? StartObstacle { get; init; }

    /// <summary>Memory that the guest has now, in bytes.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Machine type, for example <c>pc-q35-7.2</c>; null when the XML names none.</summary>
    public string? Machine { get; init; }

    /// <summary>What a start needs of the host. Holds paths, and is not published.</summary>
    [JsonIgnore]
    public IReadOnlyList<StartNeed> Needs { get; init; } = [];

    /// <summary>The guest has a process: it runs, or its CPUs are stopped.</summary>
    [JsonIgnore]
    public bool IsActive =>
        PowerState is ServerPowerState.Running or ServerPowerState.Paused or ServerPowerState.Suspended;

    /// <summary>The same without paths of the host: a plan needs none, and a job's node reads all anew.</summary>
    public ServerDescription WithoutPaths() =>
        this with { Disks = [.. Disks.Select(d => d.WithoutPaths())], Needs = [] };
}

/// <summary>Power state of a server, as far as a snapshot cares.</summary>
internal enum ServerPowerState
{
    Running,
    /// <summary>The CPUs are stopped; QEMU holds the memory.</summary>
    Paused,
    /// <summary>No QEMU process and no managed save image.</summary>
    ShutOff,
    /// <summary>No QEMU process; its memory is in a managed save image.</summary>
    Saved,
    /// <summary>The guest sleeps (suspend to RAM); QEMU holds the memory.</summary>
    Suspended,
    /// <summary>Crashed, shutting down or unknown: nothing is captured.</summary>
    Other,
}

/// <summary>The machine that the guest sees, in libvirt's words; null: the definition does not say.</summary>
internal sealed record VirtualHardware
{
    /// <summary><c>uefi</c> or <c>bios</c>.</summary>
    public string? Firmware { get; init; }

    /// <summary>The firmware boots only what is signed.</summary>
    public bool HasSecureBoot { get; init; }

    /// <summary>Machine type, for example <c>pc-q35-7.2</c>.</summary>
    public string? MachineType { get; init; }

    /// <summary>Model of the first network card, for example <c>virtio</c>.</summary>
    public string? NetworkModel { get; init; }

    /// <summary>Model of an emulated TPM, for example <c>tpm-crb</c>.</summary>
    public string? TpmModel { get; init; }

    /// <summary>For example <c>2.0</c>.</summary>
    public string? TpmVersion { get; init; }

    /// <summary>Bus of the first CD-ROM drive, for example <c>sata</c>.</summary>
    public string? CdromBus { get; init; }

    /// <summary>Model of the first video card, for example <c>virtio</c>.</summary>
    public string? VideoModel { get; init; }
}

/// <summary>Where a server of Nova's comes from.</summary>
/// <param name="BaseImageId">Image that its root disk was made from; null for one booted from a volume.</param>
/// <param name="UserId">User who made it.</param>
internal sealed record NovaOrigin(Guid? BaseImageId, string? ProjectId, string? UserId)
{
    /// <summary>The user's name for it; the domain has another, for example <c>instance-0000002a</c>.</summary>
    public string? Name { get; init; }

    public string? Flavor { get; init; }

    /// <summary>When Nova wrote its definition; of a server that was never changed, when it was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }
}

/// <summary>One disk of a server as the domain XML tells it; nothing is probed.</summary>
/// <param name="Target">Device name, for example <c>vda</c>: the disk's name in the API.</param>
/// <param name="Device"><c>disk</c>, <c>lun</c>, <c>cdrom</c> or <c>floppy</c>.</param>
/// <param name="SourceType">libvirt's disk type: <c>file</c>, <c>block</c>, <c>network</c>, <c>volume</c>...</param>
/// <param name="Format">Format of the top layer: <c>qcow2</c>, <c>raw</c>...; null when the XML names none.</param>
/// <param name="Layers">The chain, top layer first, as libvirt reports it; empty for a disk without source.</param>
/// <param name="IsShareable">Other guests may write to it at the same time.</param>
/// <param name="IsTransient">Its changes are thrown away at shutdown.</param>
/// <param name="IsEncrypted">It or a layer is encrypted.</param>
/// <param name="BootOrder">Lowest boots first; null when not given per device.</param>
/// <param name="MirrorPath">Destination of a block job that runs on the disk now; null when none does.</param>
internal sealed record DiskDescription(
    string Target, string Device, string SourceType, string? Format, IReadOnlyList<DiskLayer> Layers, bool IsReadOnly,
    bool IsShareable, bool IsTransient, bool IsEncrypted, int? BootOrder, string? MirrorPath, bool MirrorReady)
{
    /// <summary>QEMU serves it, and so its NBD export, in an I/O thread: its own, or its SCSI controller's.</summary>
    public bool HasIoThread { get; init; }

    /// <summary>Its name in libvirt's events, for example <c>virtio-disk0</c>; null while the server is off.</summary>
    public string? Alias { get; init; }

    /// <summary>A hard disk with a source: no CD-ROM, floppy or empty drive.</summary>
    public bool IsHardDisk => Device is "disk" or "lun" && Layers.Count > 0;

    /// <summary>For example <c>virtio</c>; null when not named, and in rows of older nodes.</summary>
    public string? Bus { get; init; }

    /// <summary>Model of its SCSI controller, for example <c>virtio-scsi</c>; null for a disk on another bus.</summary>
    public string? ScsiModel { get; init; }

    /// <summary>The definition ends the chain: what the header of its last layer names does not count.</summary>
    public bool IsChainEnded { get; init; }

    /// <summary>Why no image can be made of it, without paths: what the node finds in its layers' headers.</summary>
    public string? Obstacle { get; init; }

    /// <summary>The same with an empty text where a path of the host was.</summary>
    public DiskDescription WithoutPaths() => this with
    {
        Layers = [.. Layers.Select(l => l.WithoutPath())],
        MirrorPath = MirrorPath is null ? null : string.Empty,
    };
}

/// <summary>One layer of a disk's chain.</summary>
/// <param name="SourceType"><c>file</c>, <c>block</c>, <c>network</c>; <c>volume</c> while not known.</param>
/// <param name="Path">File or device on the host; null for a network source. Never shown to the API's user.</param>
/// <param name="Format">Format that the domain XML names; null when it names none.</param>
internal sealed record DiskLayer(string SourceType, string? Path, string? Format)
{
    /// <summary>The volume of a storage pool that the definition names; null once its path is known.</summary>
    public PoolVolume? Volume { get; init; }

    /// <summary>Why there is no path, as the end of a sentence; null when there is one or the type tells.</summary>
    public string? PathObstacle { get; init; }

    /// <summary>The same with an empty text where a path of the host was.</summary>
    public DiskLayer WithoutPath() => this with { Path = Path is null ? null : string.Empty, Volume = null };
}

/// <summary>A volume of a storage pool, as a definition names it.</summary>
/// <param name="IsDirect">QEMU reaches it over the network: <c>mode='direct'</c> of an iSCSI pool.</param>
internal sealed record PoolVolume(string Pool, string Name, bool IsDirect);
