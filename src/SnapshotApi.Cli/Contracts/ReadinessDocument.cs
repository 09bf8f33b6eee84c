namespace SnapshotApi.Cli.Contracts;

/// <summary>What <c>/health/ready</c> answers.</summary>
internal sealed record ReadinessDocument(
    string? Status, string? Version, string? Role, IReadOnlyList<ReadinessPartDocument>? Parts);

/// <summary>One part of the service.</summary>
internal sealed record ReadinessPartDocument(string? Name, bool? IsReady, string? Message);
