using Microsoft.Win32.SafeHandles;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;

namespace SnapshotApi.Captures;

/// <summary>
/// Top layers that nobody writes to while they are copied: QEMU's lock is held on each, and whoever takes no locks was looked for on this
/// host. Of the layers below it is only checked that they have no writer. Disposing lets the guest be started.
/// </summary>
internal sealed class LayerLocks : IDisposable
{
    private readonly List<TopLayerCopy> _copies = [];
    private readonly List<IDisposable> _held = [];

    private LayerLocks()
    {
    }

    /// <summary>Takes the locks; blocks for milliseconds, or as long as a file system does not answer.</summary>
    /// <exception cref="SnapshotException">
    /// state_conflict: a layer has a writer, which the message names if it is of this host, or is another file than when the copy was prepared;
    /// copy_source_failed: a layer can't be opened.
    /// </exception>
    public static LayerLocks Take(IReadOnlyList<TopLayerCopy> copies)
    {
        var locks = new LayerLocks();
        try
        {
            foreach (TopLayerCopy copy in copies)
            {
                locks.Hold(copy);
            }

            RequireNoWriter([.. copies.Select(c => c.Disk)]);
            return locks;
        }
        catch
        {
            locks.Dispose();
            throw;
        }
    }

    /// <summary>Checks, and holds nothing, that no layer of some disks has a writer, with locks or without.</summary>
    /// <exception cref="SnapshotException">state_conflict, copy_source_failed.</exception>
    public static void RequireNoWriter(IReadOnlyList<DiskDescription> disks)
    {
        var layers = new List<(DiskDescription Disk, bool IsTop, FileIdentity File)>();
        var locked = new List<(DiskDescription Disk, bool IsTop)>();
        foreach (DiskDescription disk in disks)
        {
            for (int i = 0; i < disk.Layers.Count; i++)
            {
                using SafeFileHandle file = TopLayerCopier.Open(disk, disk.Layers[i]);
                layers.Add((disk, i == 0, FileIdentity.Of(file)));
                if (ImageLock.HasWriter(file))
                {
                    locked.Add((disk, i == 0));
                }
            }
        }

        // A device has no locks that meet: where other processes can't be looked at, nothing is known of its writers.
        if (layers.Find(l => l.File.IsBlockDevice) is ({ } onDevice, _, _) && !LinuxProcess.CanLookAtOthers)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"whether disk {onDevice.Target}, a block device, is open for writing elsewhere can't be told: the service needs CAP_SYS_PTRACE for that");
        }

        // The search names him; the locks know of other hosts as well.
        if (FileWriters.Find([.. layers.Select(l => l.File).Distinct()]) is [var writer, ..])
        {
            (DiskDescription disk, bool isTop, _) = layers.First(l => l.File == writer.File);
            throw Conflict(disk, isTop, $"by {writer.Name}");
        }

        if (locked is [var (lockedDisk, isLockedTop), ..])
        {
            throw Conflict(lockedDisk, isLockedTop, "elsewhere");
        }
    }

    /// <summary>Gives back everything; may be called twice.</summary>
    public void Dispose()
    {
        foreach (TopLayerCopy copy in _copies)
        {
            copy.Source = null;
        }

        for (int i = _held.Count - 1; i >= 0; i--)
        {
            _held[i].Dispose();
        }

        _copies.Clear();
        _held.Clear();
    }

    private void Hold(TopLayerCopy copy)
    {
        SafeFileHandle source = TopLayerCopier.Open(copy.Disk, copy.Disk.Layers[0]);
        _held.Add(source);
        if (FileIdentity.Of(source) != copy.File)
        {
            throw new SnapshotException(SnapshotErrorCode.StateConflict, $"the file of disk {copy.Disk.Target} was replaced");
        }

        try
        {
            _held.Add(ImageLock.Take(source, copy.Disk));
        }
        catch (SnapshotException) when (FileWriters.Find([copy.File]) is [var writer, ..])
        {
            throw Conflict(copy.Disk, isTop: true, $"by {writer.Name}");
        }

        copy.Source = source;
        _copies.Add(copy);
    }

    private static SnapshotException Conflict(DiskDescription disk, bool isTop, string by) => new(
        SnapshotErrorCode.StateConflict, $"{(isTop ? "disk" : "a lower layer of disk")} {disk.Target} is open for writing {by}");
}
