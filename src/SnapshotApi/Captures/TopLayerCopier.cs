using Microsoft.Win32.SafeHandles;
using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Linux;

namespace SnapshotApi.Captures;

/// <summary>
/// Finds out, while the guest still runs, how the top layer of each disk can be taken away: cloned into the work
/// directory or beside the original, else copied into the work directory if there is room. Nothing is locked until the
/// guest is off.
/// </summary>
internal sealed class TopLayerCopier(IOptions<NodeOptions> options)
{
    /// <summary>Prepares one copy per disk. Nothing is copied yet; each destination is in the journal.</summary>
    /// <exception cref="SnapshotException">no_space, copy_source_failed.</exception>
    public IReadOnlyList<TopLayerCopy> Prepare(
        IReadOnlyList<DiskDescription> disks, JobDirectory directory, JobJournal journal)
    {
        var copies = new List<TopLayerCopy>();
        long neededBytes = 0;
        SpaceWatch space = SpaceWatch.OfWork(directory.Path, options.Value);
        for (int i = 0; i < disks.Count; i++)
        {
            using SafeFileHandle source = Open(disks[i], disks[i].Layers[0]);
            FileIdentity file = FileIdentity.Of(source);
            string name = $"{i.ToString(CultureInfo.InvariantCulture)}.layer";
            string copyPath = directory.Reserve(name);
            string? clonePath = file.IsRegularFile ? FindClonePath(source, copyPath, directory, name, journal) : null;
            if (clonePath is null)
            {
                neededBytes += LinuxFile.CountData(source, LinuxFile.GetLength(source));
            }

            copies.Add(new TopLayerCopy(disks[i], file, clonePath, copyPath, space));
        }

        if (neededBytes > 0)
        {
            space.Require("a copy of the top layer", neededBytes);
        }

        return copies;
    }

    /// <summary>Locks the top layers of a guest that is off or saved, until it is to be started again.</summary>
    /// <exception cref="SnapshotException">state_conflict: somebody writes to a layer; copy_source_failed.</exception>
    public static Task<LayerLocks> LockAsync(IReadOnlyList<TopLayerCopy> copies) =>
        OwnThread.RunAsync(() => LayerLocks.Take(copies));

    /// <exception cref="SnapshotException">copy_source_failed.</exception>
    internal static SafeFileHandle Open(DiskDescription disk, DiskLayer layer)
    {
        try
        {
            return LinuxFile.OpenReadFollowing(layer.Path!);
        }
        catch (IOException e)
        {
            throw new SnapshotException(SnapshotErrorCode.CopySourceFailed, $"disk {disk.Target} can't be opened", e);
        }
    }

    // A clone needs the same file system. The work directory is tried first, then a hidden file beside the original:
    // where the kernel has that, not where a path with symbolic links and ".." leads.
    private static string? FindClonePath(
        SafeFileHandle source, string copyPath, JobDirectory directory, string name, JobJournal journal)
    {
        if (TryClone(source, copyPath))
        {
            return copyPath;
        }

        if (LinuxFile.FindPath(source) is not { } original)
        {
            return null;
        }

        string hidden = $"{JobDirectory.CloneNamePrefix}{Path.GetFileName(directory.Path)}-{name}";
        string beside = Path.Combine(Path.GetDirectoryName(original)!, hidden);
        JournalEntry delete = journal.Add(new DeleteFile(beside));
        if (TryClone(source, beside))
        {
            return beside;
        }

        journal.Settle(delete);
        return null;
    }

    // Only a probe: the real clone is made during the downtime. A directory that is full or can't be written to has no
    // clone; the room for a copy is checked separately.
    private static bool TryClone(SafeFileHandle source, string path)
    {
        try
        {
            using SafeFileHandle destination = LinuxFile.CreateNew(path);
            return LinuxFile.CanClone(source, destination);
        }
        catch (IOException)
        {
            return false;
        }
        finally
        {
            File.Delete(path);
        }
    }
}
