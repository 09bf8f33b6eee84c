using System.Diagnostics;
using SnapshotApi.Captures;
using SnapshotApi.Journal;
using SnapshotApi.Linux;

namespace SnapshotApi.Snapshots;

/// <summary>Takes away files and processes of ours, and refuses everything else.</summary>
internal sealed class OwnFiles(IOptions<NodeOptions> node, IOptions<StoresOptions> stores)
    : IUndo<DeleteFile>, IUndo<EndProcess>
{
    public Task UndoAsync(DeleteFile action, CancellationToken cancellationToken) => DeleteAsync(action.Path);

    /// <summary>Deletes a file, socket or empty directory of ours; nothing happens when it is not there.</summary>
    /// <exception cref="InvalidOperationException">The path is not one of ours.</exception>
    public Task DeleteAsync(string path)
    {
        if (!IsOurs(path))
        {
            throw new InvalidOperationException($"{path} is neither in the work directory nor in the store");
        }

        string parent = Path.GetDirectoryName(path)!;
        if (!Directory.Exists(parent))
        {
            // With its directory it is gone itself: somebody has tidied up.
            return Task.CompletedTask;
        }

        if (Directory.Exists(path) && new DirectoryInfo(path).LinkTarget is null)
        {
            Directory.Delete(path);
        }
        else
        {
            File.Delete(path);
        }

        LinuxFile.SyncDirectory(parent);
        return Task.CompletedTask;
    }

    /// <summary>
    /// Kills the qemu-nbd of that socket, or the qemu-img of that file; waits for its end, deletes it.
    /// </summary>
    public async Task UndoAsync(EndProcess action, CancellationToken cancellationToken)
    {
        string path = action.SocketPath;
        foreach (Process process in Process.GetProcesses())
        {
            using (process)
            {
                if (IsAtWorkOn(process.Id, path))
                {
                    process.Kill();
                    await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
                }
            }
        }

        await DeleteAsync(path).ConfigureAwait(false);
    }

    private bool IsOurs(string path)
    {
        string full = Path.GetFullPath(path);
        return full == path
            && (IsBelow(full, Path.Combine(node.Value.WorkDirectory, "run"))
                || IsBelow(full, stores.Value.Directory.Path)
                || Path.GetFileName(full).StartsWith(JobDirectory.CloneNamePrefix, StringComparison.Ordinal));
    }

    private static bool IsBelow(string path, string directory) =>
        path.StartsWith(Path.GetFullPath(directory).TrimEnd('/') + "/", StringComparison.Ordinal);

    // The path holds the job's or the image's id, so no other process has it among its arguments.
    private static bool IsAtWorkOn(int processId, string path)
    {
        try
        {
            string[] arguments = File.ReadAllText(
                $"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/cmdline").Split('\0');
            return (arguments.Contains($"--socket={path}")
                && arguments[0].EndsWith("qemu-nbd", StringComparison.Ordinal))
                || (arguments.Contains(path) && arguments[0].EndsWith("qemu-img", StringComparison.Ordinal));
        }
        catch (IOException)
        {
            // It ended while we looked.
            return false;
        }
    }
}
