using SnapshotApi.Hypervisor;

namespace SnapshotApi.Captures;

/// <summary>One disk that is mirrored.</summary>
/// <param name="Disk">The disk.</param>
/// <param name="Path">Destination file, qcow2.</param>
/// <param name="SizeBytes">Size that the guest sees.</param>
/// <param name="CanBeShallow">The layers below can be read by their paths.</param>
internal sealed record MirroredDisk(DiskDescription Disk, string Path, long SizeBytes, bool CanBeShallow)
{
    /// <summary>Only the top layer is copied: there is a layer below to stand on, and it is the one that QEMU has.</summary>
    public bool IsShallow => CanBeShallow && Disk.Layers.Count > 1;

    /// <summary>The layer that the copy stands on; null for a full copy.</summary>
    public DiskLayer? Backing => IsShallow ? Disk.Layers[1] : null;

    /// <summary>The copy on its chain, top layer first.</summary>
    public IReadOnlyList<DiskLayer> Chain => [new DiskLayer("file", Path, "qcow2"), .. IsShallow ? Disk.Layers.Skip(1) : []];

    /// <summary>The block job to be begun.</summary>
    /// <param name="request">The capture.</param>
    /// <param name="bandwidthBytesPerSecond">Its limit; null for none.</param>
    public BlockCopyRequest ToRequest(CaptureRequest request, long? bandwidthBytesPerSecond) =>
        new(request.ServerId, Disk.Target, Path, IsShallow, bandwidthBytesPerSecond);
}
