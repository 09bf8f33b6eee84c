using SnapshotApi.Captures;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Benchmarks.WholeSnapshot;

/// <summary>Listens and says nothing; keeps the length of the image.</summary>
internal sealed class SilentObserver : ISnapshotObserver
{
    /// <summary>Length of the published image.</summary>
    public long SizeBytes { get; private set; }

    public void PlanMade(SnapshotPlan plan)
    {
    }

    public void StepStarted(SnapshotStep step, string? detail = null)
    {
    }

    public void Warn(string message)
    {
    }

    public void DisksAdvanced(IReadOnlyList<DiskProgress> disks)
    {
    }

    public void ImagePublished(string target, StoredImage image, ImageDescription description) => SizeBytes = image.SizeBytes;

    public void GuestAffected(Consistency consistency, GuestDowntime downtime, TimeSpan freeze, int frozenFileSystems)
    {
    }
}
