using System.Collections.Concurrent;
using SnapshotApi.Captures;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>Keeps what a snapshot told.</summary>
internal sealed class RecordingObserver : ISnapshotObserver
{
    public SnapshotPlan? Plan { get; private set; }

    public ConcurrentQueue<SnapshotStep> Steps { get; } = [];

    public ConcurrentQueue<string> Warnings { get; } = [];

    public ConcurrentQueue<DiskProgress> Told { get; } = [];

    public List<StoredImage> Images { get; } = [];

    public List<ImageDescription> Descriptions { get; } = [];

    public Consistency? Consistency { get; private set; }

    public GuestDowntime Downtime { get; private set; }

    public TimeSpan Freeze { get; private set; }

    /// <summary>Called at the beginning of each step.</summary>
    public Action<SnapshotStep> OnStep { get; set; } = _ => { };

    /// <summary>Called with the bytes done of a disk.</summary>
    public Action<long> OnAdvanced { get; set; } = _ => { };

    public void PlanMade(SnapshotPlan plan) => Plan = plan;

    public void StepStarted(SnapshotStep step, string? detail = null)
    {
        Steps.Enqueue(step);
        OnStep(step);
    }

    public void Warn(string message) => Warnings.Enqueue(message);

    public void DisksAdvanced(IReadOnlyList<DiskProgress> disks)
    {
        foreach (DiskProgress disk in disks)
        {
            Told.Enqueue(disk);
            OnAdvanced(disk.BytesDone);
        }
    }

    public void ImagePublished(string target, StoredImage image, ImageDescription description)
    {
        Images.Add(image);
        Descriptions.Add(description);
    }

    public void GuestAffected(Consistency consistency, GuestDowntime downtime, TimeSpan freeze, int frozenFileSystems) =>
        (Consistency, Downtime, Freeze) = (consistency, downtime, freeze);
}
