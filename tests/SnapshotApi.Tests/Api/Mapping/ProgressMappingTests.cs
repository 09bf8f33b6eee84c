using SnapshotApi.Api.Mapping;
using SnapshotApi.Contracts;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Tests.Api.Mapping;

public class ProgressMappingTests
{
    [Fact]
    public void Percent_is_bytes_done_of_bytes_in_all()
    {
        Progress progress = ProgressOf(JobStatus.Running, 100, Disk(1000, 400, 100), Disk(500, 400, 300));

        Assert.Equal(new Progress(50, 400, 800, 100, 4), progress);
    }

    [Theory]
    [InlineData(999, 1000, 99)]
    [InlineData(1000, 1000, 99)]
    [InlineData(1200, 1000, 99)]
    [InlineData(9, 1000, 0)]
    [InlineData(0, 0, 0)]
    public void A_running_job_never_claims_100(long done, long allocated, int percent)
    {
        Assert.Equal(percent, ProgressOf(JobStatus.Running, null, Disk(2000, allocated, done)).Percent);
    }

    [Fact]
    public void A_succeeded_job_is_done()
    {
        Assert.Equal(new Progress(100, 400, 400, null, null), ProgressOf(JobStatus.Succeeded, 50, Disk(1000, 400, 390)));
        Assert.Equal(new Progress(100, 0, 0, null, null), ProgressOf(JobStatus.Succeeded, null, Disk(1000, 0, 0)));
    }

    [Theory]
    [InlineData("Failed")]
    [InlineData("Cancelled")]
    public void A_job_that_ended_otherwise_keeps_what_it_reached(string status)
    {
        Assert.Equal(new Progress(25, 100, 400, null, null), ProgressOf(Enum.Parse<JobStatus>(status), 50, Disk(1000, 400, 100)));
    }

    [Fact]
    public void A_disk_not_yet_measured_counts_with_its_size()
    {
        Progress before = ProgressOf(JobStatus.Running, null, Disk(1000, 400, 200), Disk(1000, null, 0));
        Progress after = ProgressOf(JobStatus.Running, null, Disk(1000, 400, 200), Disk(1000, 100, 0));

        Assert.Equal(1400, before.BytesTotal);
        Assert.True(after.Percent > before.Percent);
    }

    [Fact]
    public void Nothing_is_claimed_before_anything_is_known()
    {
        Assert.Equal(new Progress(0, 0, null, null, null), ProgressOf(JobStatus.Running, null));
        Assert.Equal(new Progress(0, 0, null, 10, null), ProgressOf(JobStatus.Running, 10, Disk(null, null, 0)));
    }

    [Fact]
    public void Time_left_is_rounded_up_and_needs_a_rate()
    {
        Assert.Equal(1, ProgressOf(JobStatus.Running, 1000, Disk(10, 10, 9)).SecondsLeft);
        Assert.Null(ProgressOf(JobStatus.Running, 0, Disk(10, 10, 9)).SecondsLeft);
        Assert.Null(ProgressOf(JobStatus.Running, null, Disk(10, 10, 9)).SecondsLeft);
    }

    [Fact]
    public void Time_left_is_told_in_steps_that_move_bytes()
    {
        Assert.Equal(1, ProgressOf(JobStatus.Running, SnapshotStep.Mirroring, 1000, Disk(10, 10, 9)).SecondsLeft);
        Assert.Null(ProgressOf(JobStatus.Running, SnapshotStep.Resuming, 1000, Disk(10, 10, 9)).SecondsLeft);
        Assert.Null(ProgressOf(JobStatus.Running, SnapshotStep.Measuring, 1000, Disk(10, 10, 9)).SecondsLeft);
    }

    [Fact]
    public void Bytes_are_those_of_the_phase_and_time_left_is_that_of_all_phases()
    {
        JobDisk copied = new JobDisk("vda", 7000, null, 1500, null) { BytesTotal = 3000, Share = 0.25, Span = 0.5 };

        // 1500 bytes of the copy, then as many to send as were copied.
        Assert.Equal(new Progress(25, 1500, 3000, 100, 45), ProgressOf(JobStatus.Running, SnapshotStep.Mirroring, 100, copied));
    }

    [Fact]
    public void Sizes_of_petabytes_do_not_overflow()
    {
        const long huge = 1L << 60;

        Assert.Equal(50, ProgressOf(JobStatus.Running, 1, Disk(huge, huge, huge / 2)).Percent);
    }

    private static JobDisk Disk(long? size, long? allocated, long done) => new("vda", size, allocated, done, null);

    private static Progress ProgressOf(JobStatus status, long? rate, params JobDisk[] disks) =>
        ProgressOf(status, SnapshotStep.Uploading, rate, disks);

    private static Progress ProgressOf(JobStatus status, SnapshotStep step, long? rate, params JobDisk[] disks) => ProgressMapping.ProgressOf(new JobRecord
    {
        Id = Guid.NewGuid(),
        ServerId = Guid.NewGuid(),
        ServerName = "s",
        Node = "n",
        Request = new SnapshotRequest("x"),
        Status = status,
        Step = step,
        Version = 1,
        CreatedAt = default,
        Disks = disks,
        BytesPerSecond = rate,
    });
}
