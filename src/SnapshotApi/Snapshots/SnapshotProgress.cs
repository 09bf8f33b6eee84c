using SnapshotApi.Captures;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Turns what captures and image streams tell into the job's progress. What a capture has to copy first is half of the
/// work of a disk, the image the other half; where nothing is copied first, the image is all of it. An image that is
/// spooled, or scanned for zeros, before it is sent is halved in its turn. Bytes are those of the phase at work, so
/// each is told once; the share is of all phases, so it moves all the time, and does not fall when the next phase
/// begins.
/// </summary>
internal sealed class SnapshotProgress(ISnapshotObserver observer) : ICaptureObserver
{
    private const double Half = 0.5;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, DiskProgress> _disks = [];
    private readonly Dictionary<string, Measured> _measured = [];
    private readonly Dictionary<string, double> _begins = [];
    private bool _hasCopies;
    private bool _hasImages;

    public void StepStarted(CaptureStep step, string? detail = null) => observer.StepStarted(
        step switch
        {
            CaptureStep.Saving => SnapshotStep.Saving,
            CaptureStep.Cloning => SnapshotStep.Cloning,
            CaptureStep.Resuming => SnapshotStep.Resuming,
            CaptureStep.Mirroring => SnapshotStep.Mirroring,
            CaptureStep.BackupBeginning => SnapshotStep.BackupBeginning,
            _ => throw new ArgumentOutOfRangeException(nameof(step)),
        },
        detail);

    public void Warn(string message) => observer.Warn(message);

    public void CopyAdvanced(string target, long sizeBytes, long doneBytes, long endBytes)
    {
        lock (_lock)
        {
            DiskProgress? before = _disks.GetValueOrDefault(target);
            _hasCopies = true;

            // "1 of 1" says that the copy is complete, not how long it was.
            bool isComplete = doneBytes == endBytes && endBytes == 1;
            long? total = isComplete ? before?.BytesTotal ?? 0 : endBytes > 0 ? endBytes : before?.BytesTotal;
            long done = isComplete ? total ?? 0 : Math.Min(doneBytes, endBytes);
            double copied = isComplete ? 1 : total > 0 ? (double)done / total.Value : 0;

            // The end moves away while the guest writes: then the share waits.
            double share = Math.Max(before?.Share ?? 0, Half * copied);
            _disks[target] = new DiskProgress(target, sizeBytes, null, done, total, share, Half);
            observer.DisksAdvanced([_disks[target]]);
        }
    }

    /// <summary>The image of a disk was measured. All disks are, before anything is told of the first image.</summary>
    /// <param name="target">The disk.</param>
    /// <param name="sizeBytes">Its size.</param>
    /// <param name="dataBytes">How much of it is data.</param>
    /// <param name="workBytes">How much has to be gone through to make the image.</param>
    /// <param name="isPrepared">It is scanned or spooled first: <see cref="ImagePrepared"/> follows.</param>
    public void ImageMeasured(string target, long sizeBytes, long dataBytes, long workBytes, bool isPrepared = false)
    {
        lock (_lock)
        {
            _measured[target] = new Measured(sizeBytes, dataBytes, workBytes, isPrepared);
        }
    }

    /// <summary>The phase at work begins again: an upload that is tried once more.</summary>
    public void ImageRestarted(string target)
    {
        lock (_lock)
        {
            if (_disks.TryGetValue(target, out DiskProgress? disk))
            {
                Tell(disk with { BytesDone = 0, Share = _begins[target] });
            }
        }
    }

    /// <summary>The upload of a measured disk begins.</summary>
    /// <returns>How much of all the work on it was done before: 0 to 99 percent.</returns>
    public int BeginImage(string target)
    {
        lock (_lock)
        {
            if (!_hasImages)
            {
                _hasImages = true;
                BeginImages([.. _measured.Keys]);
            }

            return _disks.TryGetValue(target, out DiskProgress? disk) ? (int)Math.Min(99, disk.Share * 100) : 0;
        }
    }

    /// <summary>An image that is prepared before it is sent is ready.</summary>
    /// <param name="target">The disk.</param>
    /// <param name="workBytes">How much has to be sent.</param>
    public void ImagePrepared(string target, long workBytes)
    {
        lock (_lock)
        {
            if (_disks.TryGetValue(target, out DiskProgress? disk))
            {
                _begins[target] = 1 - disk.Span;
                Tell(disk with { BytesDone = 0, BytesTotal = workBytes, Share = 1 - disk.Span });
            }
        }
    }

    /// <summary>So many bytes of the image were gone through in this phase.</summary>
    public void ImageAdvanced(string target, long bytesDone)
    {
        lock (_lock)
        {
            if (_disks.TryGetValue(target, out DiskProgress? disk) && disk.BytesTotal is { } total)
            {
                double done = total > 0 ? Math.Min(1, (double)bytesDone / total) : 1;
                Tell(disk with { BytesDone = bytesDone, Share = _begins[target] + (disk.Span * done) });
            }
        }
    }

    // All in one call: the percentage is of all disks, and must not fall between two of them.
    private void BeginImages(params string[] targets)
    {
        double begin = _hasCopies ? Half : 0;
        foreach (string target in targets)
        {
            Measured measured = _measured[target];
            double span = (1 - begin) * (measured.IsPrepared ? Half : 1);
            _begins[target] = begin;
            _disks[target] = new DiskProgress(
                target, measured.SizeBytes, measured.DataBytes, 0, measured.WorkBytes, begin, span);
        }

        observer.DisksAdvanced([.. targets.Select(t => _disks[t])]);
    }

    private void Tell(DiskProgress disk)
    {
        _disks[disk.Target] = disk;
        observer.DisksAdvanced([disk]);
    }

    private sealed record Measured(long SizeBytes, long DataBytes, long WorkBytes, bool IsPrepared);
}

/// <summary>How far one disk is. Copying, preparing and sending are phases with bytes of their own.</summary>
/// <param name="Target">The disk.</param>
/// <param name="SizeBytes">Size that the guest sees.</param>
/// <param name="AllocatedBytes">What the guest's disk holds; null before it was measured.</param>
/// <param name="BytesDone">Bytes done of the phase at work.</param>
/// <param name="BytesTotal">Bytes of that phase; null before they are known.</param>
/// <param name="Share">How much of all the work is done, 0 to 1; falls only when an upload is retried.</param>
/// <param name="Span">How much of all the work the phase is, 0 to 1.</param>
internal sealed record DiskProgress(
    string Target, long SizeBytes, long? AllocatedBytes, long BytesDone, long? BytesTotal, double Share, double Span);
