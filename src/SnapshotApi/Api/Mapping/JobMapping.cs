using SnapshotApi.Api.Contracts;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Api.Mapping;

/// <summary>Job rows as the API shows them.</summary>
internal static class JobMapping
{
    /// <summary>A job row as the API shows it. A pure function of the row: its version is the ETag.</summary>
    public static Job ToContract(this JobRecord job) => new()
    {
        Id = job.Id,
        Server = new ServerReference(job.ServerId, job.ServerName),
        Node = job.Node,
        Name = job.Request.Name,
        Mode = job.Request.Mode,
        Capture = job.Capture is { } kind ? new JobCapture(kind, job.CaptureReason) : null,
        Status = job.Status,
        Step = job.Step,
        TaskState = TaskStateOf(job),
        BandwidthBytesPerSecond = job.Request.BandwidthBytesPerSecond,
        Progress = ProgressMapping.ProgressOf(job),
        Disks = [.. job.Disks.Select(ToContract)],
        Consistency = job.Consistency,
        GuestDowntimeMs = job.GuestDowntimeMs,
        Downtime = job.Downtime is { } downtime ? new Downtime(downtime.SaveMs, downtime.CopyMs, downtime.RestoreMs) : null,
        FreezeMs = job.FreezeMs,
        FrozenFileSystems = job.FrozenFileSystems,
        Attempts = job.Attempts,
        Warnings = job.Warnings,
        Error = job.Error is { } error ? new JobFailure(error.Code, error.Message, error.Step) : null,
        CreatedAt = job.CreatedAt,
        StartedAt = job.StartedAt,
        FinishedAt = job.FinishedAt,
        Links = LinksOf(job),
    };

    /// <summary>A line of the step log as the API shows it.</summary>
    public static JobEventEntry ToContract(this JobEvent entry) =>
        new(entry.Sequence, entry.At, entry.Kind, entry.Step, entry.Message, entry.DurationMs);

    /// <summary>Nova's task state of a job; null when it is final.</summary>
    public static TaskState? TaskStateOf(JobRecord job)
    {
        if (job.IsFinal)
        {
            return null;
        }

        return job.Step switch
        {
            SnapshotStep.Pending or SnapshotStep.Planning => TaskState.ImageSnapshotPending,
            SnapshotStep.Saving or SnapshotStep.Cloning or SnapshotStep.Resuming
                or SnapshotStep.Mirroring or SnapshotStep.BackupBeginning => TaskState.ImageSnapshot,
            SnapshotStep.Measuring or SnapshotStep.Preparing => TaskState.ImagePendingUpload,
            _ => TaskState.ImageUploading,
        };
    }

    private static JobDiskState ToContract(JobDisk disk) =>
        new(
            disk.Target,
            disk.SizeBytes,
            disk.AllocatedBytes,
            disk.BytesDone,
            disk.BytesTotal ?? disk.AllocatedBytes,
            disk.Image is { } image ? ToContract(image) : null);

    private static JobImage ToContract(StoredImage image) =>
        new(image.Id, image.Store, image.Location, image.Format, image.SizeBytes,
            new ImageDigest(image.Digest.Algorithm, image.Digest.Value));

    private static JobLinks LinksOf(JobRecord job) => new(
        Links.Job(job.Id),
        Links.JobEvents(job.Id),
        Links.Server(job.ServerId),
        job.IsFinal ? null : Links.Job(job.Id),
        [.. job.Disks.Where(d => d.Image is not null).Select(d => Links.Image(d.Image!.Id))]);
}
