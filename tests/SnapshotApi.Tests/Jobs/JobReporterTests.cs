using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Captures;
using SnapshotApi.Images;
using SnapshotApi.Jobs;
using SnapshotApi.Journal;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Tests.Jobs;

public sealed class JobReporterTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly JobReporter _reporter;

    public JobReporterTests()
    {
        var job = new JobRecord
        {
            Id = Guid.NewGuid(),
            ServerId = Guid.NewGuid(),
            ServerName = "fed18",
            Node = "n1",
            Request = new SnapshotRequest("snap"),
            Status = JobStatus.Running,
            Step = SnapshotStep.Pending,
            Version = 1,
            CreatedAt = _time.GetUtcNow(),
            Warnings = ["from an earlier run"],
        };
        _reporter = new JobReporter(job, _time, NullLogger<JobReporter>.Instance, NoFaults.Instance);
    }

    [Fact]
    public void Nothing_told_is_nothing_to_write()
    {
        Assert.Null(_reporter.TakeChanges());
    }

    [Fact]
    public void What_was_written_is_not_written_again()
    {
        _reporter.StepStarted(SnapshotStep.Planning);
        JobProgress first = Take();
        _reporter.Wrote(first);

        Assert.Null(_reporter.TakeChanges());
        Assert.Equal("step", Assert.Single(first.Events).Kind);
    }

    [Fact]
    public void What_could_not_be_written_is_written_later_with_what_came_since()
    {
        _reporter.StepStarted(SnapshotStep.Planning);
        Take();
        _reporter.Missed();
        _time.Advance(TimeSpan.FromSeconds(3));
        _reporter.StepStarted(SnapshotStep.Uploading, "vda");

        JobProgress late = Take();

        Assert.Equal(SnapshotStep.Uploading, late.Step);
        Assert.Equal([(1, 3000L), (2, null)], late.Events.Select(e => (e.Ordinal, e.DurationMs)));
    }

    [Fact]
    public void An_event_that_changed_while_it_was_written_is_written_again()
    {
        _reporter.StepStarted(SnapshotStep.Planning);
        JobProgress first = Take();
        _time.Advance(TimeSpan.FromSeconds(1));
        _reporter.StepStarted(SnapshotStep.Uploading);
        _reporter.Wrote(first);

        Assert.Equal([1, 2], Take().Events.Select(e => e.Ordinal));
    }

    [Fact]
    public void Progress_has_rate_and_disks_and_ends_with_the_disks_done()
    {
        var vda = new PlannedDisk("vda", new ImageSpec(ImageFormat.Qcow2));
        var vdb = new PlannedDisk("vdb", new ImageSpec(ImageFormat.Raw));
        _reporter.PlanMade(
            new SnapshotPlan(CaptureKind.Mirror, "asked for", "directory", [vda, vdb], ["vdc is a CD-ROM"]));
        _reporter.DisksAdvanced([new DiskProgress("vda", 100, 60, 0, 50, 0.5, 0.5)]);
        _time.Advance(TimeSpan.FromSeconds(2));
        _reporter.DisksAdvanced([new DiskProgress("vda", 100, 60, 40, 50, 0.9, 0.5)]);
        var parts = new DowntimeParts(
            TimeSpan.FromMilliseconds(6), TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(5));
        _reporter.GuestAffected(
            Consistency.Application,
            new GuestDowntime(TimeSpan.FromMilliseconds(12), parts),
            TimeSpan.FromMilliseconds(7),
            2);

        JobProgress progress = Take();

        Assert.Equal(
            (CaptureKind.Mirror, "asked for", 20L),
            (progress.Capture, progress.CaptureReason, progress.BytesPerSecond));
        var copied = new JobDisk("vda", 100, 60, 40, null) { BytesTotal = 50, Share = 0.9, Span = 0.5 };
        Assert.Equal([copied, new JobDisk("vdb", null, null, 0, null)], progress.Disks);
        Assert.Equal(
            (Consistency.Application, 12L, 7L), (progress.Consistency, progress.GuestDowntimeMs, progress.FreezeMs));
        Assert.Equal(new JobDowntime(6, 1, 5), progress.Downtime);
        Assert.Equal(["from an earlier run", "vdc is a CD-ROM"], progress.Warnings);
    }

    [Fact]
    public void A_rate_that_fades_is_written_although_nothing_is_told()
    {
        _reporter.DisksAdvanced([new DiskProgress("vda", 100, 100, 0, 100, 0, 1)]);
        _time.Advance(TimeSpan.FromSeconds(1));
        _reporter.DisksAdvanced([new DiskProgress("vda", 100, 100, 100, 100, 1, 1)]);
        _reporter.Wrote(Take());

        _time.Advance(TimeSpan.FromSeconds(30));

        Assert.Null(Take().BytesPerSecond);
    }

    [Fact]
    public void The_step_that_failed_is_told_not_the_cleaning_up()
    {
        _reporter.StepStarted(SnapshotStep.Mirroring);
        _reporter.StepStarted(SnapshotStep.CleaningUp);

        Assert.Equal(SnapshotStep.Mirroring, _reporter.Step);
    }

    [Fact]
    public void An_image_is_recorded_with_its_job()
    {
        var image = new StoredImage(Guid.NewGuid(), "directory", "x", ImageFormat.Qcow2, 9, new Digest("sha256", "ab"));
        _reporter.ImagePublished(
            "vda", image, new ImageDescription(
                image.Id, "snap", ImageFormat.Qcow2, 9, 100, new Dictionary<string, string> { ["a"] = "b" }));

        ImageRecord record = Assert.Single(_reporter.Images);

        Assert.Equal(
            ("snap", "fed18", "n1", "vda", 100L, "b"), (record.Name,
            record.ServerName,
            record.Node,
            record.Target,
            record.VirtualSizeBytes,
            record.Properties["a"]));
        Assert.Equal(image, Assert.Single(Take().Disks).Image);
    }

    [Fact]
    public void A_step_wakes_the_writer()
    {
        int woken = 0;
        _reporter.StepBegan += () => woken++;

        _reporter.StepStarted(SnapshotStep.Planning);
        _reporter.Warn("careful");

        Assert.Equal(1, woken);
    }

    [Fact]
    public void The_end_is_told_once_and_the_last_word_counts()
    {
        _reporter.StepStarted(SnapshotStep.Uploading);
        _reporter.End("finished", "succeeded");

        JobProgress end = _reporter.End("finished", "failed: no space");

        Assert.Equal([("step", null), ("finished", "failed: no space")], end.Events.Select(e => (e.Kind, e.Message)));
        Assert.Equal(SnapshotStep.Finished, end.Step);
    }

    private JobProgress Take()
    {
        JobProgress? progress = _reporter.TakeChanges();
        Assert.NotNull(progress);
        return progress;
    }
}
