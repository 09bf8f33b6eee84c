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
    private IReadOnlyList<JobDisk> _disks = [];

    [Fact]
    public void Two_disks_that_are_mirrored_first_tell_the_bytes_of_their_data_once()
    {
        SnapshotProgress progress = Begin();
        Look(() => progress.CopyAdvanced("vda", SizeA, 0, 0));
        Look(() => progress.CopyAdvanced("vdb", SizeB, 0, 0));
        Look(() => progress.CopyAdvanced("vdb", SizeB, 0, 100));
        Look(() => progress.CopyAdvanced("vda", SizeA, 75, 300));
        Assert.Equal((8, 75L, (long?)400), _seen[^1]);
        Look(() => progress.CopyAdvanced("vdb", SizeB, 1, 1));
        Look(() => progress.CopyAdvanced("vda", SizeA, 1, 1));
        Assert.Equal((50, 400L, (long?)400), _seen[^1]);

        Stream(progress, dataA: 300, dataB: 100);

        Assert.Equal((50, 0L, (long?)400), _seen[^4]);
        Assert.Equal((87, 300L, (long?)400), _seen[^3]);
        Assert.Equal([300L, 100L], _disks.Select(d => d.AllocatedBytes));
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

    [Fact]
    public void A_disk_that_was_cloned_beside_one_that_was_copied_does_not_make_percent_fall()
    {
        SnapshotProgress progress = Begin();
        Look(() => progress.CopyAdvanced("vda", SizeA, 0, 1000));
        Look(() => progress.CopyAdvanced("vda", SizeA, 1000, 1000));

        Stream(progress, dataA: 10, dataB: 500);

        AssertGrows();
    }

    [Fact]
    public void A_guest_that_writes_as_fast_as_it_is_mirrored_does_not_make_percent_fall()
    {
        SnapshotProgress progress = Begin();
        Look(() => progress.CopyAdvanced("vdb", SizeB, 1, 1));
        Look(() => progress.CopyAdvanced("vda", SizeA, 100, 200));
        int before = _seen[^1].Percent;

        Look(() => progress.CopyAdvanced("vda", SizeA, 150, 600));

        Assert.Equal((before, 150L, (long?)600), _seen[^1]);
    }

    [Fact]
    public void Preparing_and_sending_an_image_are_phases_with_bytes_of_their_own()
    {
        SnapshotProgress progress = Begin("vda");
        progress.ImageMeasured("vda", SizeA, 400, 400, isPrepared: true);

        Assert.Equal(0, progress.BeginImage("vda"));
        Look(() => progress.ImageAdvanced("vda", 400));
        Assert.Equal((50, 400L, (long?)400), _seen[^1]);
        Look(() => progress.ImagePrepared("vda", 100));
        Assert.Equal((50, 0L, (long?)100), _seen[^1]);
        Assert.Equal(50, progress.BeginImage("vda"));
        Look(() => progress.ImageAdvanced("vda", 50));
        Assert.Equal((75, 50L, (long?)100), _seen[^1]);
        Assert.Equal(400, _disks[0].AllocatedBytes);
    }

    [Fact]
    public void Of_a_raw_image_the_zeros_are_work_and_not_data()
    {
        SnapshotProgress progress = Begin("vda");
        progress.ImageMeasured("vda", SizeA, 10, SizeA);

        progress.BeginImage("vda");
        Look(() => progress.ImageAdvanced("vda", 500));

        Assert.Equal((50, 500L, (long?)SizeA), _seen[^1]);
        Assert.Equal(10, _disks[0].AllocatedBytes);
    }

    [Fact]
    public void An_upload_that_is_tried_again_begins_anew_behind_its_copy()
    {
        SnapshotProgress progress = Begin("vda");
        progress.CopyAdvanced("vda", SizeA, 1, 1);
        progress.ImageMeasured("vda", SizeA, 400, 400);
        progress.BeginImage("vda");
        progress.ImageAdvanced("vda", 300);

        Look(() => progress.ImageRestarted("vda"));

        Assert.Equal((50, 0L, (long?)400), _seen[^1]);
    }

    private SnapshotProgress Begin(params string[] targets)
    {
        PlannedDisk[] disks = [.. (targets.Length == 0 ? ["vda", "vdb"] : targets).Select(t => new PlannedDisk(t, new ImageSpec(ImageFormat.Qcow2)))];
        _reporter.PlanMade(new SnapshotPlan(CaptureKind.Mirror, "a test", "directory", disks, []));
        return new SnapshotProgress(_reporter);
    }

    private void Stream(SnapshotProgress progress, long dataA, long dataB)
    {
        progress.ImageMeasured("vda", SizeA, dataA, dataA);
        progress.ImageMeasured("vdb", SizeB, dataB, dataB);
        Look(() => progress.BeginImage("vda"));
        Look(() => progress.ImageAdvanced("vda", dataA));
        Look(() => progress.ImageAdvanced("vdb", dataB / 2));
        Look(() => progress.ImageAdvanced("vdb", dataB));
    }

    private void Look(Action told)
    {
        told();
        JobProgress progress = _reporter.TakeChanges()!;
        _disks = progress.Disks;
        SnapshotApi.Contracts.Progress shown = ProgressMapping.ProgressOf(Job with { Disks = progress.Disks });
        _seen.Add((shown.Percent, shown.BytesDone, shown.BytesTotal));
    }

    private void AssertGrows()
    {
        Assert.Equal(_seen.Select(s => s.Percent).Order(), _seen.Select(s => s.Percent));
        Assert.Equal((99, _seen[^1].Total), (_seen[^1].Percent, (long?)_seen[^1].Done));
    }
}
