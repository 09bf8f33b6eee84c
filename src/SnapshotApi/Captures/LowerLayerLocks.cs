using Microsoft.Win32.SafeHandles;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;

namespace SnapshotApi.Captures;

/// <summary>
/// Keeps the layers below a copied top layer as they were at the instant, from before it and for as long as they are read: another tool's commit into one
/// is refused by its own QEMU. The qemu-nbd that reads them starts only after the instant, and of a raw layer it lets others write.
/// </summary>
/// <remarks>Not of a block device: libvirt gives each QEMU a node of its own, and locks of different nodes do not meet.</remarks>
internal sealed class LowerLayerLocks : IAsyncDisposable
{
    private readonly List<IDisposable> _held = [];

    private LowerLayerLocks()
    {
    }

    /// <summary>Takes the locks, before the instant. The caller disposes them when nothing is read any more.</summary>
    /// <param name="disks">Disks whose lower layers are read by their paths.</param>
    /// <exception cref="SnapshotException">state_conflict: somebody writes to such a layer now; copy_source_failed: it can't be opened.</exception>
    public static Task<LowerLayerLocks> TakeAsync(IEnumerable<DiskDescription> disks) => Task.Factory.StartNew(
        () => Take([.. disks]), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

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
            // The lock knows of other hosts as well; the search names who is on this one.
            string by = FileWriters.Find([FileIdentity.Of(file)]) is [var writer, ..] ? $"by {writer.Name}" : "elsewhere";
            throw new SnapshotException(SnapshotErrorCode.StateConflict, $"a lower layer of disk {disk.Target} is open for writing {by}", e);
        }
    }

    private void Release()
    {
        _held.Reverse();
        _held.ForEach(h => h.Dispose());
        _held.Clear();
    }
}
