using System.ComponentModel;
using Microsoft.Win32.SafeHandles;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;

namespace SnapshotApi.Captures;

/// <summary>One top layer that is to be taken out of its guest's way.</summary>
/// <param name="disk">The disk.</param>
/// <param name="path">Destination; journalled, and not there yet.</param>
/// <param name="canClone">The file system can clone into it.</param>
internal sealed class TopLayerCopy(DiskDescription disk, string path, bool canClone)
{
    private const int ENOSPC = 28;

    /// <summary>The disk.</summary>
    public DiskDescription Disk { get; } = disk;

    /// <summary>It is cloned, not copied.</summary>
    public bool IsClone => canClone;

    /// <summary>The copy as a layer: a file, in the format of the original; a block device becomes a raw file.</summary>
    public DiskLayer Copy { get; } = new("file", path, disk.Layers[0].Format);

    /// <summary>Clones or copies; the disk must have no writer.</summary>
    /// <param name="advanced">Told of bytes done and of all bytes.</param>
    /// <param name="writerAppeared">Stops the copy: it would be torn.</param>
    /// <param name="cancellationToken">Stops the copy.</param>
    /// <exception cref="SnapshotException">no_space, copy_source_failed.</exception>
    public async Task RunAsync(Action<long, long> advanced, CancellationToken writerAppeared, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(writerAppeared, cancellationToken);
        try
        {
            await Task.Factory.StartNew(
                () => CopyFile(advanced, either.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                .ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The caller sees that a writer appeared and says so.
        }
        catch (IOException e)
        {
            SnapshotErrorCode code = e.HResult == ENOSPC || (e.InnerException as Win32Exception)?.NativeErrorCode == ENOSPC
                ? SnapshotErrorCode.NoSpace
                : SnapshotErrorCode.CopySourceFailed;
            throw new SnapshotException(code, $"the top layer of disk {Disk.Target} could not be copied", e);
        }
    }

    private void CopyFile(Action<long, long> advanced, CancellationToken cancellationToken)
    {
        using SafeFileHandle source = LinuxFile.OpenReadFollowing(Disk.Layers[0].Path!);
        long length = LinuxFile.GetLength(source);
        using SafeFileHandle destination = LinuxFile.CreateNew(Copy.Path!);
        if (canClone && LinuxFile.TryClone(source, destination))
        {
            advanced(length, length);
            return;
        }

        long done = 0;
        LinuxFile.CopySparse(source, destination, length, step => advanced(done += step, length), cancellationToken);
    }
}
