using SnapshotApi.Hypervisor;

namespace SnapshotApi.Api.Contracts;

/// <summary>A guest, as its node last saw it.</summary>
/// <param name="Id">UUID of the server.</param>
/// <param name="Name">Its name; unique on its node, not always among nodes.</param>
/// <param name="Node">Node that runs it.</param>
/// <param name="PowerState">Power state when its node last looked.</param>
/// <param name="IsPersistent">It has a definition that outlives its process.</param>
/// <param name="Type">libvirt's domain type: <c>kvm</c>, <c>qemu</c>, <c>lxc</c>.</param>
/// <param name="Architecture">For example <c>x86_64</c>; null when the definition names none.</param>
/// <param name="OsType"><c>hvm</c> for a virtual machine, <c>exe</c> for a container.</param>
/// <param name="Agent">The QEMU guest agent.</param>
/// <param name="ActiveJob">What libvirt has at work on it, for example <c>backup</c> or <c>migration</c>; null for nothing.</param>
/// <param name="Disks">Its drives, in the order of its definition.</param>
/// <param name="Problem">Why only a part of this is known, or what would keep the server from starting again; null: nothing.</param>
/// <param name="SeenAt">When its node last looked.</param>
/// <param name="Links">Where to go from here.</param>
internal sealed record Server(
    Guid Id,
    string Name,
    string Node,
    ServerPowerState PowerState,
    bool IsPersistent,
    string Type,
    string? Architecture,
    string OsType,
    ServerAgent Agent,
    string? ActiveJob,
    IReadOnlyList<ServerDisk> Disks,
    string? Problem,
    DateTimeOffset SeenAt,
    ServerLinks Links);
