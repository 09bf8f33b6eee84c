namespace SnapshotApi.Contracts;

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
/// <param name="ActiveJob">libvirt's job on it, for example <c>backup</c> or <c>migration</c>; null for none.</param>
/// <param name="Disks">Its drives, in the order of its definition.</param>
/// <param name="Problem">
/// Why only a part of this is known, or what would keep the server from starting again; null for neither.
/// </param>
/// <param name="SeenAt">When its node last looked.</param>
/// <param name="Links">Related addresses.</param>
public sealed record Server(
    Guid Id,
    string Name,
    string Node,
    string PowerState,
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

/// <summary>The QEMU guest agent of a server; it is what can freeze file systems.</summary>
/// <param name="IsDefined">The server has a channel for it.</param>
/// <param name="IsConnected">The agent in the guest has opened it.</param>
public sealed record ServerAgent(bool IsDefined, bool IsConnected);

/// <summary>One drive of a server.</summary>
/// <param name="Target">Device name in the guest, for example <c>vda</c>; <c>disks</c> of a request takes it.</param>
/// <param name="Device"><c>disk</c>, <c>lun</c>, <c>cdrom</c> or <c>floppy</c>.</param>
/// <param name="SourceType"><c>file</c>, <c>block</c>, <c>network</c>, <c>volume</c>.</param>
/// <param name="Format">Format of its top layer; null when the definition names none.</param>
/// <param name="Layers">How many layers its chain has; 0 for an empty drive.</param>
/// <param name="IsReadOnly">The guest can't write to it.</param>
/// <param name="IsShareable">Other servers may write to it at the same time.</param>
/// <param name="IsTransient">Its changes are thrown away at shutdown.</param>
/// <param name="IsEncrypted">It, or a layer of it, is encrypted.</param>
/// <param name="BootOrder">Lowest boots first; null when not given per drive.</param>
public sealed record ServerDisk(
    string Target,
    string Device,
    string SourceType,
    string? Format,
    int Layers,
    bool IsReadOnly,
    bool IsShareable,
    bool IsTransient,
    bool IsEncrypted,
    int? BootOrder);

/// <summary>Addresses related to a server.</summary>
/// <param name="Self">The server.</param>
/// <param name="Snapshots">Its jobs; send POST to take a snapshot.</param>
public sealed record ServerLinks(string Self, string Snapshots);

/// <summary>A server, named.</summary>
/// <param name="Id">UUID of the server.</param>
/// <param name="Name">Its name when the job was accepted.</param>
public sealed record ServerReference(Guid Id, string Name);
