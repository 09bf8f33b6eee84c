using SnapshotApi.Captures;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Tests.Fakes;

/// <summary>A pipeline that does what a test tells it; by default it publishes one image at once.</summary>
internal sealed class FakePipeline : ISnapshotPipeline
{
    private int _runs;

    public delegate Task Run(SnapshotWork work, JobJournal journal, ISnapshotObserver observer, CancellationToken cancellationToken);

    /// <summary>What a run does.</summary>
    public Run Body { get; set; } = (work, journal, observer, _) =>
    {
        Publish(work, journal, observer);
        return Task.CompletedTask;
    };

    /// <summary>How many runs were begun.</summary>
    public int Runs => Volatile.Read(ref _runs);

    /// <summary>Runs the body, then undoes what the journal holds if it threw, as a pipeline has to.</summary>
    public async Task RunAsync(SnapshotWork work, JobJournal journal, ISnapshotObserver observer, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _runs);
        try
        {
            await Body(work, journal, observer, cancellationToken);
        }
        catch
        {
            observer.StepStarted(SnapshotStep.CleaningUp);
            await journal.UndoAllAsync();
            throw;
        }
    }

    /// <summary>Takes all steps of a small backup.</summary>
    public static StoredImage Publish(SnapshotWork work, JobJournal journal, ISnapshotObserver observer)
    {
        observer.StepStarted(SnapshotStep.Planning);
        observer.PlanMade(new SnapshotPlan(CaptureKind.Backup, "a test", "directory", [new PlannedDisk("vda", new ImageSpec(ImageFormat.Qcow2))], []));
        observer.StepStarted(SnapshotStep.BackupBeginning);
        observer.GuestAffected(Consistency.Crash, GuestDowntime.None, TimeSpan.Zero, 0);
        observer.StepStarted(SnapshotStep.Uploading, "vda");
        observer.DisksAdvanced([new DiskProgress("vda", 1 << 20, 1 << 16, 1 << 16, 1 << 16, 1, 1)]);
        observer.StepStarted(SnapshotStep.Publishing);
        var image = new StoredImage(Guid.NewGuid(), "directory", "x.qcow2", ImageFormat.Qcow2, 70_000, new Digest("sha256", "00"));
        journal.Keep(journal.Add(new DeleteImage("directory", image.Id)));
        observer.ImagePublished(
            "vda",
            image,
            new ImageDescription(
                image.Id, work.Request.Name, image.Format, image.SizeBytes, 1 << 20, new Dictionary<string, string> { ["image_state"] = "available" }));
        return image;
    }

    /// <summary>A body that says it uploads, then waits until it is stopped or <paramref name="goOn"/> completes.</summary>
    public static Run Hold(Task goOn, TaskCompletionSource? began = null) => async (work, journal, observer, cancellationToken) =>
    {
        observer.StepStarted(SnapshotStep.Uploading, "vda");
        began?.TrySetResult();
        await goOn.WaitAsync(cancellationToken);
        Publish(work, journal, observer);
    };
}
