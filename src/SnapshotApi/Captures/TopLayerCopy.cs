using Microsoft.Win32.SafeHandles;
using SnapshotApi.Errors;
using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;

namespace SnapshotApi.Captures;

/// <summary>One top layer that is to be taken out of its guest's way.</summary>
internal sealed class TopLayerCopy
{
    // How often the free space is looked at: the reserve is larger by far than what is written in between.
    private const long SpaceStepBytes = 64L << 20;

    private readonly string? _clonePath;
    private readonly string _copyPath;
    private readonly SpaceWatch _space;
    private (DateTime WrittenAt, long LengthBytes)? _earlyStamp;

    /// <param name="disk">The disk.</param>
    /// <param name="file">Which file its top layer is.</param>
    /// <param name="clonePath">Where its file system can clone it to; null where it can't. Journalled, and not there yet.</param>
    /// <param name="copyPath">Where it is copied to when it can't be cloned after all. Journalled, and not there yet.</param>
    /// <param name="space">The room for copies.</param>
    public TopLayerCopy(DiskDescription disk, FileIdentity file, string? clonePath, string copyPath, SpaceWatch space)
    {
        (Disk, File, _clonePath, _copyPath, _space) = (disk, file, clonePath, copyPath, space);
        Copy = new DiskLayer("file", clonePath ?? copyPath, disk.Layers[0].Format);
    }

    /// <summary>The disk.</summary>
    public DiskDescription Disk { get; }

    /// <summary>Which file its top layer is.</summary>
    public FileIdentity File { get; }

    /// <summary>Size of the disk, in bytes; 0 as long as nobody has asked.</summary>
    public long SizeBytes { get; set; }

    /// <summary>It is to be cloned, not copied.</summary>
    public bool IsClone => _clonePath is not null;

    /// <summary>The copy as a layer, once it is made: a file, in the format of the original; a block device becomes a raw file.</summary>
    public DiskLayer Copy { get; private set; }

    /// <summary>The top layer, open and locked; null while it is not. Belongs to <see cref="LayerLocks"/>.</summary>
    internal SafeFileHandle? Source { get; set; }

    /// <summary>
    /// It may be copied while QEMU, whose CPUs stand still, saves the guest: what QEMU writes to a regular file then shows in the file's time or length.
    /// </summary>
    public bool CanBeEarly => !IsClone && File.IsRegularFile;

    /// <summary>
    /// Copies while QEMU still has the file open. The caller has stopped the guest: QEMU has then written out and flushed all that was under way
    /// before it answered (do_vm_stop: bdrv_drain_all, bdrv_flush_all). <see cref="IsEarlyCopyTrue"/> tells afterwards whether the copy is to be kept.
    /// </summary>
    /// <param name="advanced">Told of bytes done and of all bytes.</param>
    /// <param name="cancellationToken">Stops the copy.</param>
    /// <exception cref="SnapshotException">no_space, copy_source_failed; state_conflict: the file was replaced.</exception>
    public Task RunEarlyAsync(Action<long, long> advanced, CancellationToken cancellationToken) => TranslateAsync(() =>
    {
        using SafeFileHandle source = TopLayerCopier.Open(Disk, Disk.Layers[0]);
        if (FileIdentity.Of(source) != File)
        {
            throw new SnapshotException(SnapshotErrorCode.StateConflict, $"the file of disk {Disk.Target} was replaced");
        }

        (DateTime, long) stamp = StampOf(source);
        CopyFile(source, advanced, cancellationToken);
        _earlyStamp = stamp;
    });

    /// <summary>
    /// Nothing was written to the locked file since the early copy was begun. QEMU writes at the end of a save when the image has bitmaps
    /// (checkpoints) or lazy reference counts; then, or when there is no early copy, it is to be copied anew.
    /// </summary>
    public bool IsEarlyCopyTrue() => _earlyStamp is { } stamp && Source is not null && StampOf(Source) == stamp;

    /// <summary>Clones or copies what is locked; when nothing is, it is locked for as long as that takes.</summary>
    /// <param name="advanced">Told of bytes done and of all bytes.</param>
    /// <param name="writerAppeared">Stops the copy: it would be torn.</param>
    /// <param name="cancellationToken">Stops the copy.</param>
    /// <exception cref="SnapshotException">no_space, copy_source_failed; state_conflict: the disk has a writer.</exception>
    public async Task RunAsync(Action<long, long> advanced, CancellationToken writerAppeared, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(writerAppeared, cancellationToken);
        try
        {
            await TranslateAsync(() => Run(advanced, either.Token)).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The caller sees that a writer appeared and says so.
        }
    }

    private async Task TranslateAsync(Action copy)
    {
        try
        {
            await Task.Factory.StartNew(copy, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw StorageErrors.IsFull(e)
                ? new SnapshotException(SnapshotErrorCode.NoSpace, $"there is no space left for the top layer of disk {Disk.Target}", e)
                : new SnapshotException(SnapshotErrorCode.CopySourceFailed, $"the top layer of disk {Disk.Target} could not be copied", e);
        }
    }

    private void Run(Action<long, long> advanced, CancellationToken cancellationToken)
    {
        if (Source is not null)
        {
            CopyFile(Source, advanced, cancellationToken);
            return;
        }

        using LayerLocks own = LayerLocks.Take([this]);
        CopyFile(Source!, advanced, cancellationToken);
    }

    private void CopyFile(SafeFileHandle source, Action<long, long> advanced, CancellationToken cancellationToken)
    {
        long length = LinuxFile.GetLength(source);
        if (_clonePath is not null && TryClone(source, _clonePath))
        {
            advanced(length, length);
            return;
        }

        long dataBytes = LinuxFile.CountData(source, length);
        _space.Require("a copy of the top layer", dataBytes);
        Copy = Copy with { Path = _copyPath };

        // Of an early copy that was not kept.
        System.IO.File.Delete(_copyPath);
        using SafeFileHandle destination = LinuxFile.CreateNew(_copyPath);
        long done = 0;
        long checkedAt = 0;
        LinuxFile.CopySparse(
            source,
            destination,
            length,
            step =>
            {
                done += step;
                if (done - checkedAt >= SpaceStepBytes)
                {
                    checkedAt = done;
                    RequireReserve();
                }

                advanced(done, dataBytes);
            },
            cancellationToken);

        // QEMU's lock on a device is one on its node in /dev, and a QEMU of libvirt's has nodes of its own.
        if (File.IsBlockDevice)
        {
            LayerLocks.RequireNoWriter([Disk]);
        }
    }

    private static (DateTime WrittenAt, long LengthBytes) StampOf(SafeFileHandle file) =>
        (System.IO.File.GetLastWriteTimeUtc(file), LinuxFile.GetLength(file));

    // Others write there as well, and the room was counted before they did.
    private void RequireReserve()
    {
        if (_space.IsLow)
        {
            throw new SnapshotException(
                SnapshotErrorCode.NoSpace,
                $"the copy of the top layer of disk {Disk.Target} was ended: less than {_space.KeptBytes >> 20} MiB are free in the node's work directory");
        }
    }

    // What could be cloned at first may not be cloned now: then it is copied.
    private static bool TryClone(SafeFileHandle source, string path)
    {
        using (SafeFileHandle destination = LinuxFile.CreateNew(path))
        {
            if (LinuxFile.TryClone(source, destination))
            {
                return true;
            }
        }

        System.IO.File.Delete(path);
        return false;
    }
}
