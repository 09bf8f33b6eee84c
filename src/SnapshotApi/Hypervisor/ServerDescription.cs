using System.Text.Json.Serialization;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// All that a plan needs to know of a server, read in one go from its live XML and state. The node publishes it as its
/// inventory; the planner is a pure function of it.
/// </summary>
/// <param name="Id">UUID of the domain.</param>
/// <param name="Name">Name of the domain.</param>
/// <param name="PowerState">State at the time of the reading.</param>
/// <param name="IsPersistent">The domain has a definition that outlives its process.</param>
/// <param name="DomainType"><c>kvm</c>, <c>qemu</c>, <c>lxc</c>, <c>test</c>.</param>
/// <param name="Architecture">For example <c>x86_64</c>; null when the XML names none.</param>
/// <param name="OsType"><c>hvm</c>, <c>exe</c>.</param>
/// <param name="HasAgentChannel">A guest-agent channel is defined.</param>
/// <param name="AgentConnected">The agent in the guest has its end of the channel open.</param>
/// <param name="ActiveJob">What libvirt says is at work on the domain: <c>backup</c>, <c>migration</c>, <c>save</c>...; null for none.</param>
/// <param name="QemuOwner">User and group that QEMU runs as, numbers or names, as the DAC label has them; null when not running or unknown.</param>
/// <param name="Disks">Every disk, in XML order.</param>
internal sealed record ServerDescription(
    Guid Id,
    string Name,
    ServerPowerState PowerState,
    bool IsPersistent,
    string DomainType,
    string? Architecture,
    string OsType,
    bool HasAgentChannel,
    bool AgentConnected,
    string? ActiveJob,
    string? QemuOwner,
    IReadOnlyList<DiskDescription> Disks)
{
    /// <summary>What Nova wrote of it into its definition; null when it is not Nova's.</summary>
    public NovaOrigin? Nova { get; init; }

    /// <summary>The machine that the guest sees; null for a container, and in rows of older nodes.</summary>
    public VirtualHardware? Hardware { get; init; }

    /// <summary>Number of the running domain, from its live XML; another one after each start. Null while it is off.</summary>
    public int? DomainId { get; init; }

    /// <summary>Why the server is in its power state, in libvirt's words: <c>user</c>, <c>io_error</c>, <c>crashed</c>...; null when unknown.</summary>
    public string? StateReason { get; init; }

    /// <summary>libvirt starts the server with the host.</summary>
    public bool IsAutostart { get; init; }

    /// <summary>Why only a part of this is known: its QEMU, or libvirt for it, does not answer. Null: all is known.</summary>
    public string? NotAnswering { get; init; }

    /// <summary>What keeps libvirt from saving the guest's memory; null: nothing that the definition tells.</summary>
    public string? SaveObstacle { get; init; }

    /// <summary>What a save would lose of the way in which the guest stands still; null: nothing. libvirt restores no reason of a pause.</summary>
    [JsonIgnore]
    public string? PauseObstacle => this switch
    {
        { PowerState: ServerPowerState.Suspended } => "it sleeps (suspend to RAM), and would be awake",
        { PowerState: ServerPowerState.Paused, StateReason: "io_error" } => "it is paused for an I/O error, and would be paused for no reason",
        _ => null,
    };

    /// <summary>What would keep the server from starting again, as far as the node can see; null: nothing.</summary>
    public string? StartObstacle { get; init; }

    /// <summary>Memory that the guest has now, in bytes.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Machine type, for example <c>pc-q35-7.2</c>; null when the XML names none.</summary>
    public string? Machine { get; init; }

    /// <summary>What a start needs of the host. It holds paths, and is not published.</summary>
    [JsonIgnore]
    public IReadOnlyList<StartNeed> Needs { get; init; } = [];

    /// <summary>The guest has a process: it runs, or its CPUs are stopped.</summary>
    [JsonIgnore]
    public bool IsActive => PowerState is ServerPowerState.Running or ServerPowerState.Paused or ServerPowerState.Suspended;

    /// <summary>
    /// The same with nothing where a path of the host was: a plan only asks whether there is one, and what a job does it does with what the
    /// node reads anew.
    /// </summary>
    public ServerDescription WithoutPaths() => this with { Disks = [.. Disks.Select(d => d.WithoutPaths())], Needs = [] };
}

/// <summary>Power state of a server, as far as a snapshot cares.</summary>
internal enum ServerPowerState
{
    /// <summary>The guest executes.</summary>
    Running,

    /// <summary>The guest's CPUs are stopped, its memory is held by QEMU.</summary>
    Paused,

    /// <summary>No QEMU process and no managed save image.</summary>
    ShutOff,

    /// <summary>No QEMU process; its memory is in a managed save image that somebody made.</summary>
    Saved,

    /// <summary>The guest sleeps (suspend to RAM), by its own power management; QEMU holds its memory.</summary>
    Suspended,

    /// <summary>Crashed, shutting down, blocked or unknown: a state in which nothing is captured.</summary>
    Other,
}

/// <summary>What a server's definition says of the machine that its guest sees, in libvirt's words. Null: it does not say.</summary>
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

    /// <summary>Its version, for example <c>2.0</c>.</summary>
    public string? TpmVersion { get; init; }

    /// <summary>Bus of the first CD-ROM drive, for example <c>sata</c>.</summary>
    public string? CdromBus { get; init; }

    /// <summary>Model of the first video card, for example <c>virtio</c>.</summary>
    public string? VideoModel { get; init; }
}

/// <summary>Where a server of Nova's comes from.</summary>
/// <param name="BaseImageId">Image that its root disk was made from; null when it was none (booted from a volume).</param>
/// <param name="ProjectId">Project that it belongs to.</param>
/// <param name="UserId">User who made it.</param>
internal sealed record NovaOrigin(Guid? BaseImageId, string? ProjectId, string? UserId)
{
    /// <summary>Name that its user gave it; the domain has another, for example <c>instance-0000002a</c>.</summary>
    public string? Name { get; init; }

    /// <summary>Name of its flavor.</summary>
    public string? Flavor { get; init; }

    /// <summary>When its definition was written by Nova; for a server that was never changed, when it was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }
}

/// <summary>One disk of a server as the domain XML tells it; nothing is probed.</summary>
/// <param name="Target">Device name in the guest, for example <c>vda</c>: the disk's name in the API.</param>
/// <param name="Device"><c>disk</c>, <c>lun</c>, <c>cdrom</c> or <c>floppy</c>.</param>
/// <param name="SourceType">libvirt's disk type: <c>file</c>, <c>block</c>, <c>network</c>, <c>volume</c>...</param>
/// <param name="Format">Driver type of the top layer: <c>qcow2</c>, <c>raw</c>...; null when the XML names none.</param>
/// <param name="Layers">The chain, top layer first, down to the base, as libvirt reports it; empty for a disk without source.</param>
/// <param name="IsReadOnly">The guest cannot write to it.</param>
/// <param name="IsShareable">Other guests may write to it at the same time.</param>
/// <param name="IsTransient">Its changes are thrown away at shutdown.</param>
/// <param name="IsEncrypted">It, or a layer, has an encryption element.</param>
/// <param name="BootOrder">Lowest boots first; null when not given per device.</param>
/// <param name="MirrorPath">Destination of a block job that runs on the disk now; null when none does.</param>
/// <param name="MirrorReady">The mirror has reached its ready state.</param>
internal sealed record DiskDescription(
    string Target,
    string Device,
    string SourceType,
    string? Format,
    IReadOnlyList<DiskLayer> Layers,
    bool IsReadOnly,
    bool IsShareable,
    bool IsTransient,
    bool IsEncrypted,
    int? BootOrder,
    string? MirrorPath,
    bool MirrorReady)
{
    /// <summary>QEMU handles its requests, and so its NBD export, in an I/O thread: its own, or that of its SCSI controller.</summary>
    public bool HasIoThread { get; init; }

    /// <summary>libvirt's name of the device, by which its events name the disk, for example <c>virtio-disk0</c>; null while the server is off.</summary>
    public string? Alias { get; init; }

    /// <summary>A hard disk with a source, as opposed to CD-ROM, floppy or an empty drive.</summary>
    public bool IsHardDisk => Device is "disk" or "lun" && Layers.Count > 0;

    /// <summary>Bus that it is attached to, for example <c>virtio</c>; null when not named, and in rows of older nodes.</summary>
    public string? Bus { get; init; }

    /// <summary>Model of its SCSI controller, for example <c>virtio-scsi</c>; null for a disk on another bus.</summary>
    public string? ScsiModel { get; init; }

    /// <summary>The definition says where the chain ends (<c>&lt;backingStore/&gt;</c>): what the header of the last layer names is not part of the disk.</summary>
    public bool IsChainEnded { get; init; }

    /// <summary>
    /// Why no image can be made of it, as the end of a sentence about the disk: what the node finds in the headers of its layers. Names no
    /// path of the host. Null for no obstacle, and in rows of older nodes.
    /// </summary>
    public string? Obstacle { get; init; }

    /// <summary>The same with an empty text where a path of the host was.</summary>
    public DiskDescription WithoutPaths() => this with
    {
        Layers = [.. Layers.Select(l => l.WithoutPath())],
        MirrorPath = MirrorPath is null ? null : string.Empty,
    };
}

/// <summary>One layer of a disk's chain.</summary>
/// <param name="SourceType"><c>file</c>, <c>block</c>, <c>network</c>; <c>volume</c> while its pool does not say which.</param>
/// <param name="Path">File or device on the host; null for a network source. Never shown to the API's user.</param>
/// <param name="Format">Format that the domain XML names; null when it names none.</param>
internal sealed record DiskLayer(string SourceType, string? Path, string? Format)
{
    /// <summary>The volume of a storage pool that the definition names; null when it names none, or the pool has told its path.</summary>
    public PoolVolume? Volume { get; init; }

    /// <summary>Why there is no path, as the end of a sentence about the disk; null when there is one, or the type says it all.</summary>
    public string? PathObstacle { get; init; }

    /// <summary>The same with an empty text where a path of the host was.</summary>
    public DiskLayer WithoutPath() => this with { Path = Path is null ? null : string.Empty, Volume = null };
}

/// <summary>A volume as a definition names it.</summary>
/// <param name="Pool">Name of the storage pool.</param>
/// <param name="Name">Name of the volume in the pool.</param>
/// <param name="IsDirect">QEMU reaches it over the network by itself (<c>mode='direct'</c> of an iSCSI pool), not through a device of the host.</param>
internal sealed record PoolVolume(string Pool, string Name, bool IsDirect);
