namespace SnapshotApi.Api.Contracts;

/// <summary>The process runs.</summary>
/// <param name="Status">Always <c>live</c>.</param>
/// <param name="Version">Version of the service.</param>
internal sealed record Liveness(string Status, string Version);
