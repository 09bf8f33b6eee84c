using SnapshotApi.Captures;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Persistence;

/// <summary>
/// How a run of a job ended: all that the job's row does not hold yet. It is written into the journal first, so that it
/// survives the worker and a database that is away.
/// </summary>
internal sealed record JobOutcome
{
    public required Guid JobId { get; init; }

    /// <summary>Fencing token of the run; the outcome is delivered only while the row still has it.</summary>
    public required long Fence { get; init; }

    /// <summary>Final status, or <see cref="JobStatus.Queued"/>: the job is to be run again.</summary>
    public required JobStatus Status { get; init; }

    /// <summary>When the run ended, on the node's clock.</summary>
    public required DateTimeOffset EndedAt { get; init; }

    /// <summary>Why it did not succeed, or why it is to be run again; null for a success.</summary>
    public JobError? Error { get; init; }

    /// <summary>The last state of the run; null: the row keeps what was last written.</summary>
    public JobProgress? Progress { get; init; }

    public IReadOnlyList<ImageRecord> Images { get; init; } = [];

    /// <summary>The service stopped, and the job is to be run again: the run was no attempt.</summary>
    public bool IsStop { get; init; }
}

/// <summary>All that changes while a job runs; the members are those of <see cref="JobRecord"/>.</summary>
/// <param name="Events">Events that may not have been written yet, or that have changed since.</param>
internal sealed record JobProgress(
    SnapshotStep Step,
    CaptureKind? Capture,
    string? CaptureReason,
    IReadOnlyList<JobDisk> Disks,
    long? BytesPerSecond,
    Consistency? Consistency,
    long? GuestDowntimeMs,
    JobDowntime? Downtime,
    long? FreezeMs,
    IReadOnlyList<string> Warnings,
    IReadOnlyList<RunEvent> Events)
{
    public int? FrozenFileSystems { get; init; }
}

/// <summary>One <see cref="JobEvent"/> of a run, before it has its place in the job's log.</summary>
/// <param name="Ordinal">Grows within the run; 0 is the claim. With the run it names the event.</param>
internal sealed record RunEvent(
    int Ordinal, DateTimeOffset At, string Kind, SnapshotStep Step, string? Message, long? DurationMs);
