using Microsoft.Win32.SafeHandles;
using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;

namespace SnapshotApi.Captures;

/// <summary>A top layer that is to be cloned or copied, so that its guest can go on.</summary>
/// <param name="file">Which file the top layer is.</param>
/// <param name="clonePath">Where its file system can clone it to; null: nowhere. Journalled, and not there yet.</param>
/// <param name="copyPath">Where it is copied when it can't be cloned. Journalled, and not there yet.</param>
/// <param name="space">The room for copies.</param>
internal sealed class TopLayerCopy(
    DiskDescription disk, FileIdentity file, string? clonePath, string copyPath, SpaceWatch space)
{
    // How often the free space is checked: the reserve is far larger than what is written in between.
    private const long SpaceStepBytes = 64L << 20;

    private (DateTime WrittenAt, long LengthBytes)? _earlyStamp;

    public DiskDescription Disk { get; } = disk;

    public FileIdentity File { get; } = file;

    /// <summary>Size of the disk; 0 until it is known.</summary>
    public long SizeBytes { get; set; }

    /// <summary>It is to be cloned, not copied.</summary>
    public bool IsClone => clonePath is not null;

    /// <summary>The copy: a file, in the format of the original; a block device becomes a raw file.</summary>
    public DiskLayer Copy { get; private set; } = new("file", clonePath ?? copyPath, disk.Layers[0].Format);

    /// <summary>The copy on the layers below, top layer first.</summary>
    public IReadOnlyList<DiskLayer> Chain => [Copy, .. Disk.Layers.Skip(1)];

    /// <summary>The top layer, open and locked; null while it is not. Belongs to <see cref="LayerLocks"/>.</summary>
    internal SafeFileHandle? Source { get; set; }

    /// <summary>May be copied while QEMU saves the guest: its writes show in a regular file's time or length.</summary>
    public bool CanBeEarly => !IsClone && File.IsRegularFile;

    /// <summary>
    /// Copies while QEMU still has the file open. The caller has stopped the guest: before it answers, QEMU writes out
    /// and flushes all that is under way (do_vm_stop: bdrv_drain_all, bdrv_flush_all). <see cref="IsEarlyCopyTrue"/>
    /// tells afterwards whether the copy is to be kept.
    /// </summary>
    /// <param name="advanced">Gets bytes done and all bytes.</param>
    /// <exception cref="SnapshotException">no_space, copy_source_failed, state_conflict.</exception>
    public Task RunEarlyAsync(Action<long, long> advanced, CancellationToken cancellationToken) => TranslateAsync(() =>
    {
        using SafeFileHandle source = TopLayerCopier.Open(Disk, Disk.Layers[0]);
        if (FileIdentity.Of(source) != File)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"the file of disk {Disk.Target} was replaced");
        }

        (DateTime, long) stamp = StampOf(source);
        CopyFile(source, advanced, cancellationToken);
        _earlyStamp = stamp;
    });

    /// <summary>
    /// Nothing was written to the locked file since the early copy began. QEMU writes at the end of a save when the
    /// image has bitmaps (checkpoints) or lazy reference counts; then, or without an early copy, it is to be copied
    /// anew.
    /// </summary>
    public bool IsEarlyCopyTrue() => _earlyStamp is { } stamp && Source is not null && StampOf(Source) == stamp;

    /// <summary>Clones or copies the locked layer; one that is not locked yet is locked meanwhile.</summary>
    /// <param name="advanced">Gets bytes done and all bytes.</param>
    /// <param name="writerAppeared">Stops the copy: it would be torn.</param>
    /// <exception cref="SnapshotException">no_space, copy_source_failed, state_conflict.</exception>
    public async Task RunAsync(
        Action<long, long> advanced, CancellationToken writerAppeared, CancellationToken cancellationToken)
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
            await OwnThread.RunAsync(copy).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw StorageErrors.IsFull(e)
                ? new SnapshotException(
                    SnapshotErrorCode.NoSpace, $"there is no space left for the top layer of disk {Disk.Target}", e)
                : StorageErrors.Translate(
                    e, "the node's work directory", $"the top layer of disk {Disk.Target} could not be copied",
                    SnapshotErrorCode.CopySourceFailed);
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
        if (clonePath is not null && TryClone(source, clonePath))
        {
            advanced(length, length);
            return;
        }

        long dataBytes = LinuxFile.CountData(source, length);
        space.Require("a copy of the top layer", dataBytes);
        Copy = Copy with { Path = copyPath };

        // Of an early copy that was not kept.
        System.IO.File.Delete(copyPath);
        using SafeFileHandle destination = LinuxFile.CreateNew(copyPath);
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

        // QEMU's lock of a device is on its node in /dev, and libvirt gives each QEMU nodes of its own.
        if (File.IsBlockDevice)
        {
            LayerLocks.RequireNoWriter([Disk]);
        }
    }

    private static (DateTime WrittenAt, long LengthBytes) StampOf(SafeFileHandle file) =>
        (System.IO.File.GetLastWriteTimeUtc(file), LinuxFile.GetLength(file));

    // Others write there as well, since the room was counted.
    private void RequireReserve()
    {
        if (space.IsLow)
        {
            throw new SnapshotException(
                SnapshotErrorCode.NoSpace,
                $"the copy of the top layer of disk {Disk.Target} was ended: "
                + $"less than {space.KeptBytes >> 20} MiB are free in the node's work directory");
        }
    }

    // What could be cloned at first may not be now: then it is copied.
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
