namespace SnapshotApi.Cli.Contracts;

/// <summary>One line of a job's step log.</summary>
internal sealed record EventDocument(
    long? Sequence, DateTimeOffset? At, string? Kind, string? Step, string? Message, long? DurationMs);
