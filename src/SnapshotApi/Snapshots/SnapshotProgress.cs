using SnapshotApi.Captures;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Turns what captures and image streams tell into the job's progress. What a capture has to copy first counts as work of the
/// disk, before the bytes of the image: so a mirror moves the percentage, too.
/// </summary>
internal sealed class SnapshotProgress(ISnapshotObserver observer) : ICaptureObserver
{
    private readonly Dictionary<string, long> _copied = [];

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

    // Before the image is measured, its bytes are taken to be all of the disk: the total can only become smaller.
    public void CopyAdvanced(string target, long sizeBytes, long doneBytes, long endBytes)
    {
        long scaled = endBytes > 0 ? (long)((double)Math.Min(doneBytes, endBytes) / endBytes * sizeBytes) : 0;
        long copied = Math.Max(_copied.GetValueOrDefault(target), scaled);
        _copied[target] = copied;
        observer.DiskMeasured(target, sizeBytes, 2 * sizeBytes);
        observer.DiskAdvanced(target, copied);
    }

    /// <summary>The image of a disk was measured.</summary>
    public void ImageMeasured(string target, long sizeBytes, long dataBytes) =>
        observer.DiskMeasured(target, sizeBytes, _copied.GetValueOrDefault(target) + dataBytes);

    /// <summary>So many bytes of the image's data were handled.</summary>
    public void ImageAdvanced(string target, long dataBytesDone) =>
        observer.DiskAdvanced(target, _copied.GetValueOrDefault(target) + dataBytesDone);
}
