using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Persistence;

/// <summary>One row of <c>jobs</c>: a request to snapshot one server, and what became of it.</summary>
internal sealed record JobRecord
{
    /// <summary>Id of the job.</summary>
    public required Guid Id { get; init; }

    /// <summary>UUID of the server.</summary>
    public required Guid ServerId { get; init; }

    /// <summary>Name that the server had when the job was accepted.</summary>
    public required string ServerName { get; init; }

    /// <summary>Node that runs it.</summary>
    public required string Node { get; init; }

    /// <summary>What was asked for.</summary>
    public required SnapshotRequest Request { get; init; }

    /// <summary>Where the job stands.</summary>
    public required JobStatus Status { get; init; }

    /// <summary>Step at work, or the last one.</summary>
    public required SnapshotStep Step { get; init; }

    /// <summary>Capture chosen; null before planning.</summary>
    public CaptureKind? Capture { get; init; }

    /// <summary>Why that capture.</summary>
    public string? CaptureReason { get; init; }

    /// <summary>The disks, as far as known.</summary>
    public IReadOnlyList<JobDisk> Disks { get; init; } = [];

    /// <summary>Bytes a second over the last seconds; null when nothing moves.</summary>
    public long? BytesPerSecond { get; init; }

    /// <summary>Consistency reached; null before the instant.</summary>
    public Consistency? Consistency { get; init; }

    /// <summary>Milliseconds that the guest was down; null before it is known.</summary>
    public long? GuestDowntimeMs { get; init; }

    /// <summary>What that was spent on; null when the guest was not saved, or not yet.</summary>
    public JobDowntime? Downtime { get; init; }

    /// <summary>Milliseconds that its file systems were frozen.</summary>
    public long? FreezeMs { get; init; }

    /// <summary>How many file systems the guest agent froze; null: none, or not yet.</summary>
    public int? FrozenFileSystems { get; init; }

    /// <summary>How often a worker has begun it.</summary>
    public int Attempts { get; init; }

    /// <summary>What was degraded.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Why it failed.</summary>
    public JobError? Error { get; init; }

    /// <summary>Its user asked to cancel it.</summary>
    public bool CancelRequested { get; init; }

    /// <summary>Grows with each write of the row; the ETag.</summary>
    public required long Version { get; init; }

    /// <summary>Fencing token: grows with each claim.</summary>
    public long Fence { get; init; }

    /// <summary>When it was accepted.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its first run began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it became final.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>No further change will come.</summary>
    public bool IsFinal => Status is JobStatus.Succeeded or JobStatus.Failed or JobStatus.Cancelled;
}

/// <summary>Why a job failed.</summary>
/// <param name="Code">Stable code.</param>
/// <param name="Message">A fact, without host paths or secrets.</param>
/// <param name="Step">Step in which it happened.</param>
internal sealed record JobError(SnapshotErrorCode Code, string Message, SnapshotStep Step);
