using SnapshotApi.Contracts;
using SnapshotApi.Images;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Api.Mapping;

/// <summary>Job rows as the API shows them.</summary>
internal static class JobMapping
{
    /// <summary>A job row as the API shows it. A pure function of the row: its version is the ETag.</summary>
    public static Job ToContract(this JobRecord job, Links links) => new(
        Id: job.Id,
        Server: new ServerReference(job.ServerId, job.ServerName),
        Node: job.Node,
        Name: job.Request.Name,
        Mode: job.Request.Mode.ToSnakeCase(),
        Capture: job.Capture is { } kind ? new JobCapture(kind.ToSnakeCase(), job.CaptureReason) : null,
        Status: job.Status.ToSnakeCase(),
        Step: job.Step.ToSnakeCase(),
        TaskState: TaskStateOf(job) is { } state ? state.ToSnakeCase() : null,
        BandwidthBytesPerSecond: job.Request.BandwidthBytesPerSecond,
        Progress: ProgressMapping.ProgressOf(job),
        Disks: [.. job.Disks.Select(ToContract)],
        Consistency: job.Consistency is { } consistency ? consistency.ToSnakeCase() : null,
        GuestDowntimeMs: job.GuestDowntimeMs,
        Downtime: job.Downtime is { } spent ? new Downtime(spent.SaveMs, spent.CopyMs, spent.RestoreMs) : null,
        FreezeMs: job.FreezeMs,
        FrozenFileSystems: job.FrozenFileSystems,
        Attempts: job.Attempts,
        Warnings: job.Warnings,
        Error: job.Error is { } error
            ? new JobFailure(error.Code.ToSnakeCase(), error.Message, error.Step.ToSnakeCase())
            : null,
        CreatedAt: job.CreatedAt,
        StartedAt: job.StartedAt,
        FinishedAt: job.FinishedAt,
        Links: new JobLinks(
            links.Job(job.Id),
            links.JobEvents(job.Id),
            links.Server(job.ServerId),
            job.IsFinal ? null : links.Job(job.Id),
            [.. job.Disks.Where(d => d.Image is not null).Select(d => links.Image(d.Image!.Id))]));

    /// <summary>A line of the step log as the API shows it.</summary>
    public static JobEventEntry ToContract(this JobEvent entry) =>
        new(entry.Sequence, entry.At, entry.Kind, entry.Step.ToSnakeCase(), entry.Message, entry.DurationMs);

    /// <summary>A digest as the API shows it.</summary>
    public static ImageDigest ToContract(this Digest digest) => new(digest.Algorithm, digest.Value);

    /// <summary>Nova's task state of a job; null when it is final.</summary>
    public static TaskState? TaskStateOf(JobRecord job) => job.IsFinal ? null : job.Step switch
    {
        SnapshotStep.Pending or SnapshotStep.Planning => TaskState.ImageSnapshotPending,
        SnapshotStep.Saving or SnapshotStep.Cloning or SnapshotStep.Resuming
            or SnapshotStep.Mirroring or SnapshotStep.BackupBeginning => TaskState.ImageSnapshot,
        SnapshotStep.Measuring or SnapshotStep.Preparing => TaskState.ImagePendingUpload,
        _ => TaskState.ImageUploading,
    };

    private static JobDiskState ToContract(JobDisk disk) =>
        new(
            disk.Target,
            disk.SizeBytes,
            disk.AllocatedBytes,
            disk.BytesDone,
            disk.BytesTotal ?? disk.AllocatedBytes,
            disk.Image is { } image ? ToContract(image) : null);

    private static JobImage ToContract(StoredImage image) => new(
        image.Id,
        image.Store,
        image.Location,
        image.Format.ToSnakeCase(),
        image.SizeBytes,
        image.Digest.ToContract());
}

/// <summary>Task state of a snapshot, in OpenStack Nova's words.</summary>
internal enum TaskState
{
    /// <summary>Waits for its node, or is being planned.</summary>
    ImageSnapshotPending,

    /// <summary>The capture makes the disks readable.</summary>
    ImageSnapshot,

    /// <summary>The image is about to be sent.</summary>
    ImagePendingUpload,

    /// <summary>The image is being sent into the store.</summary>
    ImageUploading,
}

/// <summary>Progress of a job, computed from its row.</summary>
/// <remarks>
/// Bytes are those of the current phase. Percent is of all phases, weighs each disk by its data, and never falls. Time
/// left assumes that coming phases take as long as the current one. Only steps that move bytes have it: in between, the
/// rate falls and would promise hours.
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
            MovesBytes(job.Step) && rate > 0 && Sum(job.Disks, LeftOf) is { } left ? (left + rate - 1) / rate : null);
    }

    private static bool MovesBytes(SnapshotStep step) =>
        step is SnapshotStep.Cloning or SnapshotStep.Mirroring or SnapshotStep.Preparing or >= SnapshotStep.Uploading;

    // Rows of older nodes have no phases: what is allocated is all that there is to do.
    private static long? TotalOf(JobDisk disk) =>
        disk.Share is null ? disk.AllocatedBytes ?? disk.SizeBytes : disk.BytesTotal;

    private static long DoneBytes(IReadOnlyList<JobDisk> disks) =>
        disks.Sum(d => Math.Min(d.BytesDone, TotalOf(d) ?? d.BytesDone));

    private static double ShareOf(JobDisk disk) =>
        disk.Share ?? (TotalOf(disk) is > 0 and var total ? Math.Min(1, (double)disk.BytesDone / total) : 0);

    private static long? LeftOf(JobDisk disk) => TotalOf(disk) is not { } total
        ? null
        : disk is { Share: { } share, Span: > 0 and var span } ? (long)((1 - share) / span * total)
        : Math.Max(0, total - disk.BytesDone);

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

            // An empty disk has to be made and published, too.
            all += Math.Max(1, weight);
            done += Math.Max(1, weight) * ShareOf(disk);
        }

        // 100 would claim that the image is verified and published. The addend makes up for rounding errors.
        return all > 0 ? (int)Math.Clamp((done * 100 / all) + 1e-9, 0, 99) : 0;
    }

    private static long? Sum(IReadOnlyList<JobDisk> disks, Func<JobDisk, long?> number)
    {
        long?[] numbers = [.. disks.Select(number)];
        return numbers.Length == 0 || numbers.Contains(null) ? null : numbers.Sum();
    }
}
