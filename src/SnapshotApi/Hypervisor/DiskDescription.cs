namespace SnapshotApi.Hypervisor;

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
