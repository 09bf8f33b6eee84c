using Microsoft.Win32.SafeHandles;
using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;

namespace SnapshotApi.Captures;

/// <summary>
/// Top layers that nobody writes to while they are copied: QEMU's lock is held on each, and this host was searched for
/// writers without locks. The layers below are only checked for writers. Disposing lets the guest be started.
/// </summary>
internal sealed class LayerLocks : IDisposable
{
    private readonly List<TopLayerCopy> _copies = [];
    private readonly List<IDisposable> _held = [];

    private LayerLocks()
    {
    }

    /// <summary>Takes the locks; blocks for milliseconds, or as long as a file system does not answer.</summary>
    /// <exception cref="SnapshotException">state_conflict: a writer, or another file; copy_source_failed.</exception>
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

    /// <summary>Checks that no layer has a writer, with locks or without. Holds nothing.</summary>
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

        // Locks of a device's nodes do not meet: where other processes can't be looked at, its writers are unknown.
        if (layers.Find(l => l.File.IsBlockDevice) is ({ } onDevice, _, _) && !LinuxProcess.CanLookAtOthers)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"whether disk {onDevice.Target}, a block device, is open for writing elsewhere can't be told: "
                + "the service needs CAP_SYS_PTRACE for that");
        }

        // The search names the writer; the locks know of other hosts as well.
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

    /// <summary>May be called twice.</summary>
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
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"the file of disk {copy.Disk.Target} was replaced");
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
        SnapshotErrorCode.StateConflict,
        $"{(isTop ? "disk" : "a lower layer of disk")} {disk.Target} is open for writing {by}");
}

/// <summary>
/// QEMU's own lock on the file of a layer: a shared lock on a byte says "I do this" (100 and up) or "others must not"
/// (200 and up). While it is held no QEMU gets to write: a guest that is started fails with <c>Failed to get "write"
/// lock</c>, on every host that shares the file system's locks. See raw_apply_lock_bytes and raw_check_lock_bytes in
/// https://gitlab.com/qemu-project/qemu/-/blob/v7.2.0/block/file-posix.c
/// </summary>
internal sealed class ImageLock : IDisposable
{
    private const int RAW_LOCK_PERM_BASE = 100;
    private const int RAW_LOCK_SHARED_BASE = 200;

    // Bits of BLK_PERM_CONSISTENT_READ, BLK_PERM_WRITE, BLK_PERM_RESIZE.
    private const int ConsistentRead = 0;
    private const int Write = 1;
    private const int Resize = 3;

    private static readonly long[] Bytes =
        [RAW_LOCK_PERM_BASE + ConsistentRead, RAW_LOCK_SHARED_BASE + Write, RAW_LOCK_SHARED_BASE + Resize];

    private readonly SafeFileHandle _file;

    private ImageLock(SafeFileHandle file) => _file = file;

    /// <summary>Takes the lock on an open layer, if the file system has locks.</summary>
    /// <param name="file">Stays the caller's, and open as long as the lock.</param>
    /// <param name="disk">Named in the error.</param>
    /// <exception cref="SnapshotException">state_conflict: somebody writes, or allows no readers.</exception>
    public static ImageLock Take(SafeFileHandle file, DiskDescription disk)
    {
        var held = new ImageLock(file);
        try
        {
            if (Bytes.Any(b => ByteLock.TryShare(file, b) == false) || HasWriter(file))
            {
                throw new SnapshotException(
                    SnapshotErrorCode.StateConflict, $"disk {disk.Target} is open for writing elsewhere");
            }

            return held;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Somebody with QEMU's locks writes, resizes, or allows no readers.</summary>
    public static bool HasWriter(SafeFileHandle file) =>
        ByteLock.IsHeldElsewhere(file, RAW_LOCK_PERM_BASE + Write)
        || ByteLock.IsHeldElsewhere(file, RAW_LOCK_PERM_BASE + Resize)
        || ByteLock.IsHeldElsewhere(file, RAW_LOCK_SHARED_BASE + ConsistentRead);

    public void Dispose()
    {
        // Closing is not enough: a child that is being started has a copy of the descriptor until it runs its program.
        foreach (long offset in Bytes)
        {
            ByteLock.Release(_file, offset);
        }
    }
}

/// <summary>
/// Keeps the layers below a copied top layer as they were at the instant, from before it until they are read: QEMU
/// refuses another tool's commit into one. The qemu-nbd that reads them starts only after the instant, and lets others
/// write to a raw layer.
/// </summary>
/// <remarks>Not of a block device: libvirt gives each QEMU nodes of its own, whose locks do not meet.</remarks>
internal sealed class LowerLayerLocks : IAsyncDisposable
{
    private readonly List<IDisposable> _held = [];

    private LowerLayerLocks()
    {
    }

    /// <summary>Takes the locks, before the instant. The caller disposes them after reading.</summary>
    /// <param name="disks">Disks whose lower layers are read by their paths.</param>
    /// <exception cref="SnapshotException">state_conflict: such a layer has a writer; copy_source_failed.</exception>
    public static Task<LowerLayerLocks> TakeAsync(IEnumerable<DiskDescription> disks) =>
        OwnThread.RunAsync(() => Take([.. disks]));

    public ValueTask DisposeAsync()
    {
        Release();
        return ValueTask.CompletedTask;
    }

    private static LowerLayerLocks Take(IReadOnlyList<DiskDescription> disks)
    {
        var locks = new LowerLayerLocks();
        try
        {
            foreach (DiskDescription disk in disks)
            {
                foreach (DiskLayer layer in disk.Layers.Skip(1).Where(l => l.SourceType == "file"))
                {
                    SafeFileHandle file = TopLayerCopier.Open(disk, layer);
                    locks._held.Add(file);
                    locks._held.Add(Hold(file, disk));
                }
            }

            return locks;
        }
        catch
        {
            locks.Release();
            throw;
        }
    }

    private static ImageLock Hold(SafeFileHandle file, DiskDescription disk)
    {
        try
        {
            return ImageLock.Take(file, disk);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.StateConflict)
        {
            // The lock knows of other hosts as well; the search names a writer on this one.
            IReadOnlyList<FileWriter> writers = FileWriters.Find([FileIdentity.Of(file)]);
            string by = writers is [var writer, ..] ? $"by {writer.Name}" : "elsewhere";
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"a lower layer of disk {disk.Target} is open for writing {by}", e);
        }
    }

    private void Release()
    {
        _held.Reverse();
        _held.ForEach(h => h.Dispose());
        _held.Clear();
    }
}
