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
