using SnapshotApi.Captures;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Persistence;

/// <summary>
/// How one run of a job ended: all that the job's row does not know yet. Written into the journal first, so that it survives the
/// worker and a database that is away.
/// </summary>
internal sealed record JobOutcome
{
    /// <summary>Id of the job.</summary>
    public required Guid JobId { get; init; }

    /// <summary>Fencing token of the run; it is delivered only while the row still has it.</summary>
    public required long Fence { get; init; }

    /// <summary>Final status, or <see cref="JobStatus.Queued"/>: the job is to be run again.</summary>
    public required JobStatus Status { get; init; }

    /// <summary>When the run ended, on the node's clock.</summary>
    public required DateTimeOffset EndedAt { get; init; }

    /// <summary>Why it did not succeed, or why it is to be run again; null for a success.</summary>
    public JobError? Error { get; init; }

    /// <summary>
    /// The last state of the run; null when the worker died: then the row keeps what was last written.
    /// </summary>
    public JobProgress? Progress { get; init; }

    /// <summary>Images that were published.</summary>
    public IReadOnlyList<ImageRecord> Images { get; init; } = [];

    /// <summary>The service was told to stop, and the job is to be run again: that run was no attempt.</summary>
    public bool IsStop { get; init; }
}

/// <summary>All that changes while a job runs.</summary>
/// <param name="Step">Step at work.</param>
/// <param name="Capture">Capture chosen; null before planning.</param>
/// <param name="CaptureReason">Why that capture.</param>
/// <param name="Disks">The disks, as far as known.</param>
/// <param name="BytesPerSecond">Bytes a second over the last seconds; null when nothing moves.</param>
/// <param name="Consistency">Consistency reached; null before the instant.</param>
/// <param name="GuestDowntimeMs">Milliseconds that the guest was down.</param>
/// <param name="Downtime">What that was spent on; null when the guest was not saved.</param>
/// <param name="FreezeMs">Milliseconds that its file systems were frozen.</param>
/// <param name="Warnings">What was degraded.</param>
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
    /// <summary>How many file systems the guest agent froze; null: none, or not yet.</summary>
    public int? FrozenFileSystems { get; init; }
}

/// <summary>One event of a run, under the name that its writer gave it.</summary>
/// <param name="Ordinal">Grows within the run; 0 is the claim.</param>
/// <param name="At">When, on the node's clock.</param>
/// <param name="Kind">See <see cref="JobEvent"/>.</param>
/// <param name="Step">Step at that time.</param>
/// <param name="Message">A fact in words.</param>
/// <param name="DurationMs">How long the step took; null while it lasts.</param>
internal sealed record RunEvent(int Ordinal, DateTimeOffset At, string Kind, SnapshotStep Step, string? Message, long? DurationMs);
