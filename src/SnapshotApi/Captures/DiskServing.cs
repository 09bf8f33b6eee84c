using System.Globalization;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Captures;

/// <summary>Serves one disk of a capture from files of the host.</summary>
internal static class DiskServing
{
    /// <summary>Starts a qemu-nbd for a chain; its socket and its end are journalled. The caller disposes it.</summary>
    /// <param name="qemuNbd">Starts it.</param>
    /// <param name="chain">Top layer first.</param>
    /// <param name="internalSnapshot">Internal snapshot to serve; null for the current state.</param>
    /// <param name="directory">The job's directory.</param>
    /// <param name="index">Number of the disk in the job: names the socket, whatever the disk is called.</param>
    /// <param name="journal">Gets the entries.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public static Task<QemuNbdServer> ServeAsync(
        QemuNbd qemuNbd,
        IReadOnlyList<DiskLayer> chain,
        string? internalSnapshot,
        JobDirectory directory,
        int index,
        JobJournal journal,
        CancellationToken cancellationToken)
    {
        string socket = Path.Combine(directory.Path, $"{index.ToString(CultureInfo.InvariantCulture)}.sock");
        journal.Add(new EndProcess(socket));
        return qemuNbd.StartAsync(chain, socket, internalSnapshot, cancellationToken);
    }

    /// <summary>
    /// Refuses a disk whose chain qemu-nbd could not serve later - too long, a layer that is missing or damaged, or larger than its limits -
    /// before its guest is touched. The guest may write to it meanwhile.
    /// </summary>
    /// <param name="qemuNbd">Tries it.</param>
    /// <param name="disk">The disk, with its whole chain.</param>
    /// <param name="directory">The job's directory.</param>
    /// <param name="index">Number of the disk in the job.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SnapshotException">unsupported_disk.</exception>
    public static async Task RequireServableAsync(
        QemuNbd qemuNbd, DiskDescription disk, JobDirectory directory, int index, CancellationToken cancellationToken)
    {
        // A qemu-nbd dies with us; only its socket could be left.
        string socket = directory.Reserve($"{index.ToString(CultureInfo.InvariantCulture)}.trial");
        try
        {
            await qemuNbd.TryAsync(disk.Layers, socket, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.ToolFailed)
        {
            throw new SnapshotException(
                SnapshotErrorCode.UnsupportedDisk, $"disk {disk.Target}, of {disk.Layers.Count} layers, can't be opened by this node's qemu-nbd", e);
        }
    }
}
