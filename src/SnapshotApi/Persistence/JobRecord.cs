using System.Text.Json.Serialization;
using SnapshotApi.Captures;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Persistence;

/// <summary>One row of <c>jobs</c>: a request to snapshot one server, and what became of it.</summary>
internal sealed record JobRecord
{
    public required Guid Id { get; init; }
    public required Guid ServerId { get; init; }

    /// <summary>Name of the server when the job was accepted.</summary>
    public required string ServerName { get; init; }

    /// <summary>Node that runs the job.</summary>
    public required string Node { get; init; }

    public required SnapshotRequest Request { get; init; }
    public required JobStatus Status { get; init; }

    /// <summary>Step at work, or the last one.</summary>
    public required SnapshotStep Step { get; init; }

    /// <summary>Capture chosen; null before planning.</summary>
    public CaptureKind? Capture { get; init; }
    public string? CaptureReason { get; init; }

    /// <summary>The disks, as far as known.</summary>
    public IReadOnlyList<JobDisk> Disks { get; init; } = [];

    /// <summary>Bytes a second over the last seconds; null when nothing moves.</summary>
    public long? BytesPerSecond { get; init; }

    /// <summary>Consistency reached; null before the instant.</summary>
    public Consistency? Consistency { get; init; }

    /// <summary>Milliseconds that the guest was down; null before it is known.</summary>
    public long? GuestDowntimeMs { get; init; }

    /// <summary>What the downtime was spent on; null when the guest was not saved, or not yet.</summary>
    public JobDowntime? Downtime { get; init; }

    /// <summary>Milliseconds that the guest's file systems were frozen.</summary>
    public long? FreezeMs { get; init; }

    /// <summary>How many file systems the guest agent froze; null: none, or not yet.</summary>
    public int? FrozenFileSystems { get; init; }

    /// <summary>How many runs count as attempts.</summary>
    public int Attempts { get; init; }

    /// <summary>What was degraded.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    public JobError? Error { get; init; }
    public bool CancelRequested { get; init; }

    /// <summary>Grows with each write of the row; the ETag.</summary>
    public required long Version { get; init; }

    /// <summary>Fencing token of the last claim.</summary>
    public long Fence { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When the first run began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>The status does not change any more.</summary>
    public bool IsFinal => Status is JobStatus.Succeeded or JobStatus.Failed or JobStatus.Cancelled;
}

/// <summary>Why a job failed.</summary>
/// <param name="Message">A fact, without host paths and secrets.</param>
internal sealed record JobError(SnapshotErrorCode Code, string Message, SnapshotStep Step);

/// <summary>One disk of a job.</summary>
/// <param name="Target">The disk's name, for example <c>vda</c>.</param>
/// <param name="SizeBytes">Size that the guest sees; null before it is known.</param>
/// <param name="AllocatedBytes">Bytes that the guest's disk holds; null before it was measured.</param>
/// <param name="BytesDone">Bytes done of the current phase.</param>
/// <param name="Image">The published image; null before that.</param>
internal sealed record JobDisk(string Target, long? SizeBytes, long? AllocatedBytes, long BytesDone, StoredImage? Image)
{
    /// <summary>Bytes of the current phase; null before they are known, and in rows of older nodes.</summary>
    public long? BytesTotal { get; init; }

    /// <summary>Share of the work on the disk that is done, 0 to 1; null at first and in rows of older nodes.</summary>
    public double? Share { get; init; }

    /// <summary>Share of the work on the disk that the current phase is, 0 to 1.</summary>
    public double? Span { get; init; }
}

/// <summary>What the downtime of a cold capture was spent on, in milliseconds.</summary>
/// <param name="SaveMs">Saving the guest's memory.</param>
/// <param name="CopyMs">Cloning or copying its top layers; with an internal snapshot reading its image.</param>
/// <param name="RestoreMs">Starting it again.</param>
internal sealed record JobDowntime(long SaveMs, long CopyMs, long RestoreMs)
{
    public static JobDowntime Of(DowntimeParts parts) => new(
        (long)parts.Save.TotalMilliseconds, (long)parts.Copy.TotalMilliseconds, (long)parts.Restore.TotalMilliseconds);
}

/// <summary>One line of a job's step log.</summary>
/// <param name="Sequence">Grows within a job, from 1.</param>
/// <param name="At">When it happened, on the node's clock.</param>
/// <param name="Kind">
/// <c>accepted</c>, <c>claimed</c>, <c>plan</c>, <c>step</c>, <c>warning</c>, <c>image</c>, <c>cancel_requested</c>,
/// <c>finished</c>, <c>requeued</c>.
/// </param>
/// <param name="Message">A fact in words; null when the kind says all.</param>
/// <param name="DurationMs">For <c>step</c>: how long the step took, in milliseconds; null while it lasts.</param>
internal sealed record JobEvent(
    long Sequence, DateTimeOffset At, string Kind, SnapshotStep Step, string? Message, long? DurationMs);

/// <summary>Status of a job.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<JobStatus>))]
internal enum JobStatus
{
    /// <summary>It waits for its node.</summary>
    Queued,

    /// <summary>A worker holds its lease.</summary>
    Running,

    /// <summary>The images are published. Final.</summary>
    Succeeded,

    /// <summary>It ended with an error; no image was published. Final.</summary>
    Failed,

    /// <summary>Its user cancelled it. Final.</summary>
    Cancelled,
}

/// <summary>What the user of a running job wants now; a limit of null is none.</summary>
internal sealed record JobControl(bool CancelRequested, long? BandwidthBytesPerSecond);

/// <summary>Which jobs a listing shows, newest first; null: all.</summary>
/// <param name="Statuses">Only these; empty: all.</param>
/// <param name="Before">Keyset cursor: only jobs older than this; null: from the newest.</param>
/// <param name="Limit">At most this many, 1 to 200.</param>
internal sealed record JobFilter(
    Guid? ServerId, string? Node, IReadOnlyList<JobStatus> Statuses, JobCursor? Before, int Limit);

/// <summary>Place in the list of jobs.</summary>
internal readonly record struct JobCursor(DateTimeOffset CreatedAt, Guid Id);
