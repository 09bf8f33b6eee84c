using System.Globalization;
using Microsoft.Extensions.Options;
using Microsoft.Win32.SafeHandles;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Linux;

namespace SnapshotApi.Captures;

/// <summary>
/// Finds out, while the guest still runs, how the top layer of each disk can be taken out of its way: cloned beside the original
/// or in the work directory, else copied into the work directory if there is room.
/// </summary>
internal sealed class TopLayerCopier(IOptions<NodeOptions> options)
{
    /// <summary>Prepares one copy per disk. Nothing is copied yet; each destination is in the journal.</summary>
    /// <exception cref="SnapshotException">no_space: a copy would not fit; copy_source_failed: a disk can't be opened.</exception>
    public IReadOnlyList<TopLayerCopy> Prepare(IReadOnlyList<DiskDescription> disks, JobDirectory directory, JobJournal journal)
    {
        var copies = new List<TopLayerCopy>();
        long neededBytes = 0;
        for (int i = 0; i < disks.Count; i++)
        {
            DiskLayer top = disks[i].Layers[0];
            using SafeFileHandle source = Open(disks[i], top);
            string name = $"{i.ToString(CultureInfo.InvariantCulture)}.layer";
            string? clonePath = top.SourceType == "file" ? FindClonePath(source, top, directory, name, journal) : null;
            if (clonePath is null)
            {
                neededBytes += LinuxFile.CountData(source, LinuxFile.GetLength(source));
            }

            copies.Add(new TopLayerCopy(disks[i], clonePath ?? directory.Reserve(name), clonePath is not null));
        }

        if (neededBytes > 0)
        {
            FreeSpace.Require(directory.Path, neededBytes + options.Value.ReservedBytes, "a copy of the top layer");
        }

        return copies;
    }

    // A clone needs the same file system. The work directory is tried first; else the clone is a hidden file beside the original.
    private static string? FindClonePath(
        SafeFileHandle source, DiskLayer top, JobDirectory directory, string name, JobJournal journal)
    {
        string beside = Path.Combine(Path.GetDirectoryName(top.Path!)!, $"{ForeignFiles.Prefix}{Path.GetFileName(directory.Path)}-{name}");
        foreach (string path in new[] { Path.Combine(directory.Path, name), beside })
        {
            JournalEntry delete = journal.Add(new DeleteFile(path));
            bool canClone = TryClone(source, path, isOptional: path == beside);

            // It is made anew while the guest waits; what can be taken away before is.
            File.Delete(path);
            if (canClone)
            {
                return path;
            }

            journal.Settle(delete);
        }

        return null;
    }

    private static bool TryClone(SafeFileHandle source, string path, bool isOptional)
    {
        try
        {
            using SafeFileHandle destination = LinuxFile.CreateNew(path);
            return LinuxFile.CanClone(source, destination);
        }
        catch (IOException) when (isOptional)
        {
            // A directory that we may not write to: then it is copied.
            return false;
        }
    }

    private static SafeFileHandle Open(DiskDescription disk, DiskLayer top)
    {
        try
        {
            return LinuxFile.OpenReadFollowing(top.Path!);
        }
        catch (IOException e)
        {
            throw new SnapshotException(SnapshotErrorCode.CopySourceFailed, $"disk {disk.Target} can't be opened", e);
        }
    }
}
