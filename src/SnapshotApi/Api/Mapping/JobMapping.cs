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

/// <summary>Progress of a job, computed from its row.</summary>
/// <remarks>
/// Bytes are those of the phase at work; percent is of all phases, each disk with the weight of its data, and can only become larger. Time
/// left counts the phases that are still to come as long as the one at work. It is told only in steps that move bytes: in between, the rate
/// dies away and would promise hours.
/// </remarks>
internal static class ProgressMapping
{
    /// <summary>Progress of a job.</summary>
    public static Progress ProgressOf(JobRecord job)
    {
        long? totalBytes = Sum(job.Disks, TotalOf);
        long doneBytes = job.Status == JobStatus.Succeeded && totalBytes is { } all ? all : DoneBytes(job.Disks);
        long? rate = job.IsFinal ? null : job.BytesPerSecond;
        return new Progress(
            PercentOf(job),
            doneBytes,
            totalBytes,
            rate,
            MovesBytes(job.Step) && rate is > 0 && Sum(job.Disks, LeftOf) is { } left ? (left + rate - 1) / rate : null);
    }

    private static bool MovesBytes(SnapshotStep step) =>
        step is SnapshotStep.Cloning or SnapshotStep.Mirroring or SnapshotStep.Preparing or >= SnapshotStep.Uploading;

    // Rows of older nodes have no phases: what is allocated is all that there is to do.
    private static long? TotalOf(JobDisk disk) => disk.Share is null ? disk.AllocatedBytes ?? disk.SizeBytes : disk.BytesTotal;

    private static long DoneBytes(IReadOnlyList<JobDisk> disks) => disks.Sum(d => Math.Min(d.BytesDone, TotalOf(d) ?? d.BytesDone));

    private static double ShareOf(JobDisk disk) =>
        disk.Share ?? (TotalOf(disk) is > 0 and var total ? Math.Min(1, (double)disk.BytesDone / total) : 0);

    private static long? LeftOf(JobDisk disk) => TotalOf(disk) is not { } total
        ? null
        : disk is { Share: { } share, Span: > 0 and var span } ? (long)((1 - share) / span * total) : Math.Max(0, total - disk.BytesDone);

    private static int PercentOf(JobRecord job)
    {
        if (job.Status == JobStatus.Succeeded)
        {
            return 100;
        }

        double all = 0;
        double done = 0;
        foreach (JobDisk disk in job.Disks)
        {
            if ((disk.AllocatedBytes ?? disk.SizeBytes) is not { } weight)
            {
                return 0;
            }

            // An empty disk weighs something: it has to be made and published, too.
            all += Math.Max(1, weight);
            done += Math.Max(1, weight) * ShareOf(disk);
        }

        // 100 would claim that the image is proven and published. A hair is added for sums that miss a whole number by a rounding.
        return all > 0 ? (int)Math.Clamp((done * 100 / all) + 1e-9, 0, 99) : 0;
    }

    private static long? Sum(IReadOnlyList<JobDisk> disks, Func<JobDisk, long?> number)
    {
        long sum = 0;
        foreach (JobDisk disk in disks)
        {
            if (number(disk) is not { } bytes)
            {
                return null;
            }

            sum += bytes;
        }

        return disks.Count == 0 ? null : sum;
    }
}
