using System.Globalization;
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
}
