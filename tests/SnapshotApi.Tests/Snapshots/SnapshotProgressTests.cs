using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Api.Mapping;
using SnapshotApi.Captures;
using SnapshotApi.Images;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Tests.Snapshots;

/// <summary>From what captures and streams tell to the numbers of the job, for two disks.</summary>
public class SnapshotProgressTests
{
    private const long SizeA = 1000;
    private const long SizeB = 500;

    private static readonly JobRecord Job = new()
    {
        Id = Guid.NewGuid(),
        ServerId = Guid.NewGuid(),
        ServerName = "fed18",
        Node = "kvm1",
        Request = new SnapshotRequest("s") { Disks = ["all"] },
        Status = JobStatus.Running,
        Step = SnapshotStep.Pending,
        Version = 1,
        CreatedAt = DateTimeOffset.UnixEpoch,
    };

    private readonly JobReporter _reporter = new(Job, new FakeTimeProvider(), NullLogger<JobReporter>.Instance, SnapshotApi.Journal.NoFaults.Instance);
    private readonly List<(int Percent, long Done, long? Total)> _seen = [];

    [Fact]
    public void Two_disks_that_are_mirrored_first_are_half_done_when_their_images_begin()
    {
        SnapshotProgress progress = Begin();
        Look(() => progress.CopyAdvanced("vda", SizeA, 0, 0));
        Look(() => progress.CopyAdvanced("vdb", SizeB, 0, 0));
        Look(() => progress.CopyAdvanced("vda", SizeA, 20, 80));
        Look(() => progress.CopyAdvanced("vdb", SizeB, 1, 1));
        Look(() => progress.CopyAdvanced("vda", SizeA, 1, 1));
        Assert.Equal((50, 1500L, (long?)3000), _seen[^1]);
        Stream(progress, dataA: 300, dataB: 100);

        Assert.Equal((50, 400L, (long?)800), _seen[^4]);
        AssertGrows();
    }

    [Fact]
    public void Of_two_disks_that_are_read_directly_the_image_is_all_of_the_work()
    {
        Stream(Begin(), dataA: 300, dataB: 100);

        Assert.Equal((0, 0L, (long?)400), _seen[^4]);
        Assert.Equal((75, 300L, (long?)400), _seen[^3]);
        AssertGrows();
    }

    private SnapshotProgress Begin()
    {
        _reporter.PlanMade(new SnapshotPlan(
            CaptureKind.Mirror, "a test", "directory", [new PlannedDisk("vda", new ImageSpec(ImageFormat.Qcow2)), new PlannedDisk("vdb", new ImageSpec(ImageFormat.Qcow2))], []));
        return new SnapshotProgress(_reporter);
    }

    private void Stream(SnapshotProgress progress, long dataA, long dataB)
    {
        Look(() => progress.ImageMeasured("vda", SizeA, dataA));
        Look(() => progress.ImageMeasured("vdb", SizeB, dataB));
        Look(() => progress.ImageAdvanced("vda", dataA));
        Look(() => progress.ImageAdvanced("vdb", dataB / 2));
        Look(() => progress.ImageAdvanced("vdb", dataB));
    }

    private void Look(Action told)
    {
        told();
        JobProgress progress = _reporter.TakeChanges()!;
        SnapshotApi.Api.Contracts.Progress shown = ProgressMapping.ProgressOf(Job with { Disks = progress.Disks });
        _seen.Add((shown.Percent, shown.BytesDone, shown.BytesTotal));
    }

    private void AssertGrows()
    {
        Assert.Equal(_seen.Select(s => s.Percent).Order(), _seen.Select(s => s.Percent));
        Assert.Equal((99, _seen[^1].Total), (_seen[^1].Percent, (long?)_seen[^1].Done));
    }
}
