namespace SnapshotApi.Persistence;

/// <summary>One line of a job's step log.</summary>
/// <param name="Sequence">Grows within a job, from 1.</param>
/// <param name="At">When it happened, on the node's clock.</param>
/// <param name="Kind"><c>accepted</c>, <c>claimed</c>, <c>plan</c>, <c>step</c>, <c>warning</c>, <c>image</c>, <c>cancel_requested</c>, <c>finished</c>, <c>requeued</c>.</param>
/// <param name="Step">Step at that time.</param>
/// <param name="Message">A fact in words; null when the kind says all.</param>
/// <param name="DurationMs">For <c>step</c>: how long the step took, in milliseconds; null while it lasts.</param>
internal sealed record JobEvent(
    long Sequence, DateTimeOffset At, string Kind, Snapshots.SnapshotStep Step, string? Message, long? DurationMs);
