using SnapshotApi.Snapshots;

namespace SnapshotApi.Api.Contracts;

/// <summary>One line of a job's step log.</summary>
/// <param name="Sequence">Grows within the job, from 1.</param>
/// <param name="At">When it happened, on the node's clock.</param>
/// <param name="Kind">
/// <c>accepted</c>, <c>claimed</c>, <c>plan</c>, <c>step</c>, <c>warning</c>, <c>image</c>, <c>cancel_requested</c>,
/// <c>requeued</c> or <c>finished</c>; more may be added.
/// </param>
/// <param name="Step">Step at that time.</param>
/// <param name="Message">What happened, in words; null when the kind says all.</param>
/// <param name="DurationMs">How long a step took, in milliseconds; null while it lasts, and for other kinds.</param>
internal sealed record JobEventEntry(
    long Sequence, DateTimeOffset At, string Kind, SnapshotStep Step, string? Message, long? DurationMs);
