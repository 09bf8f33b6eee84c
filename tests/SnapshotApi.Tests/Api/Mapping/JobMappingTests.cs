using System.Text.Json;
using SnapshotApi.Api;
using SnapshotApi.Api.Mapping;
using SnapshotApi.Captures;
using SnapshotApi.Contracts;
using SnapshotApi.Errors;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Tests.Api.Mapping;

public class JobMappingTests
{
    private static readonly JobRecord Queued = new()
    {
        Id = Guid.Parse("0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02"),
        ServerId = Guid.Parse("6f1c2a9e-0d5b-4c1e-9a57-0f2a4d3b7c11"),
        ServerName = "fed18",
        Node = "kvm1",
        Request = new SnapshotRequest("snap1") { Mode = SnapshotMode.Live },
        Status = JobStatus.Queued,
        Step = SnapshotStep.Pending,
        Version = 1,
        CreatedAt = new DateTimeOffset(2026, 3, 14, 9, 26, 53, TimeSpan.Zero),
    };

    [Fact]
    public void A_queued_job_has_the_shape_of_the_contract()
    {
        string json = JsonSerializer.Serialize(Queued.ToContract(new Links("")), ApiJson.Options);

        Assert.Equal(
            """
            {"id":"0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02","server":{"id":"6f1c2a9e-0d5b-4c1e-9a57-0f2a4d3b7c11","name":"fed18"},
            "node":"kvm1","name":"snap1","mode":"live","capture":null,"status":"queued","step":"pending",
            "taskState":"image_snapshot_pending",
            "bandwidthBytesPerSecond":null,"progress":{"percent":0,"bytesDone":0,"bytesTotal":null,"bytesPerSecond":null,"secondsLeft":null},"disks":[],
            "consistency":null,"guestDowntimeMs":null,"downtime":null,"freezeMs":null,"frozenFileSystems":null,"attempts":0,"warnings":[],"error":null,
            "createdAt":"2026-03-14T09:26:53+00:00","startedAt":null,"finishedAt":null,
            "links":{"self":"/jobs/0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02","events":"/jobs/0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02/events",
            "server":"/servers/6f1c2a9e-0d5b-4c1e-9a57-0f2a4d3b7c11","cancel":"/jobs/0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02","images":[]}}
            """.ReplaceLineEndings(string.Empty),
            json);
    }

    [Fact]
    public void A_failed_job_tells_why_and_can_no_longer_be_cancelled()
    {
        Job job = (Queued with
        {
            Status = JobStatus.Failed,
            Step = SnapshotStep.Finished,
            Capture = CaptureKind.Backup,
            CaptureReason = "because",
            Error = new JobError(SnapshotErrorCode.NoSpace, "the directory store is full", SnapshotStep.Uploading),
        }).ToContract(new Links("/snapshots"));

        Assert.Null(job.TaskState);
        Assert.Null(job.Links.Cancel);
        Assert.Equal($"/snapshots/jobs/{job.Id}", job.Links.Self);
        Assert.Equal(new JobCapture("backup", "because"), job.Capture);
        Assert.Contains(
            "\"error\":{\"code\":\"no_space\",\"message\":\"the directory store is full\",\"step\":\"uploading\"}",
            JsonSerializer.Serialize(job, ApiJson.Options),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Pending", "ImageSnapshotPending")]
    [InlineData("Planning", "ImageSnapshotPending")]
    [InlineData("Saving", "ImageSnapshot")]
    [InlineData("Cloning", "ImageSnapshot")]
    [InlineData("Resuming", "ImageSnapshot")]
    [InlineData("Mirroring", "ImageSnapshot")]
    [InlineData("BackupBeginning", "ImageSnapshot")]
    [InlineData("Measuring", "ImagePendingUpload")]
    [InlineData("Uploading", "ImageUploading")]
    [InlineData("Publishing", "ImageUploading")]
    public void The_task_state_is_Novas(string step, string state)
    {
        JobRecord job = Queued with { Status = JobStatus.Running, Step = Enum.Parse<SnapshotStep>(step) };

        Assert.Equal(Enum.Parse<TaskState>(state), JobMapping.TaskStateOf(job));
    }
}
