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
/// <param name="lastWrite"><see cref="LinuxFile.LastWrite"/>.</param>
/// <param name="time">The clock that file times are of.</param>
internal sealed class TopLayerCopy(
    DiskDescription disk, string path, bool canClone, Func<SafeFileHandle, DateTime?> lastWrite, TimeProvider time)
{
    private const int ENOSPC = 28;

    // Several ticks of the clock of file times.
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(5);

    private readonly TaskCompletionSource<DateTime?> _early = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Action<long, long>? _advanced;
    private int _isTaken;

    /// <summary>The disk.</summary>
    public DiskDescription Disk { get; } = disk;

    /// <summary>It is cloned, not copied.</summary>
    public bool IsClone => canClone;

    /// <summary>The copy as a layer: a file, in the format of the original; a block device becomes a raw file.</summary>
    public DiskLayer Copy { get; } = new("file", path, disk.Layers[0].Format);

    /// <summary>
    /// Copies while the disk may still have a writer, as soon as it was not written to for a moment. Blocks. Whether the copy is good is found out by
    /// <see cref="RunAsync"/>.
    /// </summary>
    /// <param name="saved">Nobody writes any more: what was not begun need not be begun early.</param>
    /// <param name="stop">Ends it.</param>
    public void CopyEarly(CancellationToken saved, CancellationToken stop)
    {
        if (Interlocked.Exchange(ref _isTaken, 1) != 0)
        {
            return;
        }

        DateTime? copiedAt = null;
        try
        {
            using SafeFileHandle source = LinuxFile.OpenReadFollowing(Disk.Layers[0].Path!);
            while (copiedAt is null && WaitUntilQuiet(source, saved, stop) is { } lastWritten)
            {
                copiedAt = TryCopyUnchanged(source, lastWritten, stop) ? lastWritten : null;
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // Whatever it is, the copy that is made afterwards meets it too, and says so.
        }
        finally
        {
            _early.SetResult(copiedAt);
        }
    }

    /// <summary>Clones or copies, unless that was done early; the disk must have no writer.</summary>
    /// <param name="advanced">Told of bytes done and of all bytes.</param>
    /// <param name="writerAppeared">Stops the copy: it would be torn.</param>
    /// <param name="cancellationToken">Stops the copy.</param>
    /// <exception cref="SnapshotException">no_space, copy_source_failed.</exception>
    public async Task RunAsync(Action<long, long> advanced, CancellationToken writerAppeared, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _advanced, advanced);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(writerAppeared, cancellationToken);
        try
        {
            DateTime? copiedAt = Interlocked.Exchange(ref _isTaken, 1) == 0 ? null : await _early.Task.ConfigureAwait(false);
            await Task.Factory.StartNew(
                () => CopyUnlessGood(copiedAt, either.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
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

    /// <returns>The time of the last write, when it is long enough ago; null when there is no need to wait for that any more, or no use.</returns>
    private DateTime? WaitUntilQuiet(SafeFileHandle source, CancellationToken saved, CancellationToken stop)
    {
        while (!saved.IsCancellationRequested && lastWrite(source) is { } lastWritten)
        {
            stop.ThrowIfCancellationRequested();
            if (time.GetUtcNow().UtcDateTime - lastWritten >= Quiet)
            {
                return lastWritten;
            }

            saved.WaitHandle.WaitOne(LookInterval);
        }

        return null;
    }

    /// <returns>The copy is whole, and the disk was not written to so far.</returns>
    private bool TryCopyUnchanged(SafeFileHandle source, DateTime lastWritten, CancellationToken stop)
    {
        using var changed = new CancellationTokenSource();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(changed.Token, stop);
        try
        {
            CopyFile(
                source,
                () =>
                {
                    if (lastWrite(source) != lastWritten)
                    {
                        changed.Cancel();
                    }
                },
                either.Token);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            // Written to: what was copied is worth nothing.
        }

        return lastWrite(source) == lastWritten;
    }

    private void CopyUnlessGood(DateTime? copiedAt, CancellationToken cancellationToken)
    {
        using SafeFileHandle source = LinuxFile.OpenReadFollowing(Disk.Layers[0].Path!);
        if (copiedAt is null || lastWrite(source) != copiedAt)
        {
            CopyFile(source, () => { }, cancellationToken);
        }

        long length = LinuxFile.GetLength(source);
        Report(length, length);
    }

    private void CopyFile(SafeFileHandle source, Action stepDone, CancellationToken cancellationToken)
    {
        long length = LinuxFile.GetLength(source);
        File.Delete(Copy.Path!);
        using SafeFileHandle destination = LinuxFile.CreateNew(Copy.Path!);
        if (canClone && LinuxFile.TryClone(source, destination))
        {
            return;
        }

        long done = 0;
        LinuxFile.CopySparse(
            source,
            destination,
            length,
            step =>
            {
                Report(done += step, length);
                stepDone();
            },
            cancellationToken);
    }

    private void Report(long doneBytes, long endBytes) => Volatile.Read(ref _advanced)?.Invoke(doneBytes, endBytes);
}
