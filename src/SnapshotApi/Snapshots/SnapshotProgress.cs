using SnapshotApi.Captures;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Turns what captures and image streams tell into the job's progress. What a capture has to copy first is half of the work of a
/// disk, the image the other half; where nothing is copied first, the image is all of it. An image that is spooled, or scanned for zeros,
/// before it is sent is halved in its turn. So the percentage moves all the time, and does not fall when the image is measured.
/// </summary>
internal sealed class SnapshotProgress(ISnapshotObserver observer) : ICaptureObserver
{
    private readonly Dictionary<string, long> _copied = [];
    private readonly Dictionary<string, long> _base = [];
    private readonly Dictionary<string, long> _total = [];

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

    // In units of the disk's size, since how much of it is data is not known before the image is measured.
    public void CopyAdvanced(string target, long sizeBytes, long doneBytes, long endBytes)
    {
        long scaled = endBytes > 0 ? (long)((double)Math.Min(doneBytes, endBytes) / endBytes * sizeBytes) : 0;
        long copied = Math.Max(_copied.GetValueOrDefault(target), scaled);
        _copied[target] = copied;
        observer.DiskMeasured(target, sizeBytes, 2 * sizeBytes, copied);
        observer.DiskAdvanced(target, copied);
    }

    /// <summary>The image of a disk was measured.</summary>
    /// <param name="target">The disk.</param>
    /// <param name="sizeBytes">Its size.</param>
    /// <param name="dataBytes">How much of it is data.</param>
    /// <param name="isPrepared">The data is gone through once more before it is sent: <see cref="ImagePrepared"/> is called in between.</param>
    public void ImageMeasured(string target, long sizeBytes, long dataBytes, bool isPrepared = false)
    {
        long imageBytes = isPrepared ? 2 * dataBytes : dataBytes;
        _base[target] = _copied.ContainsKey(target) ? imageBytes : 0;
        _total[target] = _base[target] + imageBytes;
        observer.DiskMeasured(target, sizeBytes, _total[target], _base[target]);
    }

    /// <summary>An image that is prepared before it is sent is ready; what follows counts from here.</summary>
    public void ImagePrepared(string target, long dataBytes)
    {
        _base[target] = _base.GetValueOrDefault(target) + dataBytes;
        observer.DiskAdvanced(target, _base[target]);
    }

    /// <summary>How much of the work on a measured disk was done before its image is sent: 0 to 99 percent.</summary>
    public int PercentBefore(string target) =>
        _total.GetValueOrDefault(target) is > 0 and var total ? (int)Math.Min(99, _base[target] * 100m / total) : 0;

    /// <summary>So many bytes of the image's data were handled.</summary>
    public void ImageAdvanced(string target, long dataBytesDone) =>
        observer.DiskAdvanced(target, _base.GetValueOrDefault(target) + dataBytesDone);
}
