namespace SnapshotApi.Contracts;

/// <summary>Whether the process can do its work, part by part.</summary>
/// <param name="Status">
/// <c>ready</c>; <c>degraded</c> when only single servers are in trouble, which the parts name; <c>not_ready</c> when a
/// part is not.
/// </param>
/// <param name="Version">Version of the service.</param>
/// <param name="Role">Role of the process.</param>
/// <param name="Parts">Each part that the role needs.</param>
public sealed record Readiness(string Status, string Version, string Role, IReadOnlyList<ReadinessPart> Parts);

/// <summary>One part of the service.</summary>
/// <param name="Name">
/// <c>database</c>, <c>hypervisor</c>, <c>stores</c>, <c>node_queue</c>, <c>journal</c> (what is still to be undone) or
/// <c>servers</c> (those that do not answer) or <c>captures</c> (those that are disabled, or could not be checked).
/// </param>
/// <param name="IsReady">The part works.</param>
/// <param name="Message">What is wrong, or a fact about it; null when there is nothing to say.</param>
public sealed record ReadinessPart(string Name, bool IsReady, string? Message);

/// <summary>The process runs.</summary>
/// <param name="Status">Always <c>live</c>.</param>
/// <param name="Version">Version of the service.</param>
public sealed record Liveness(string Status, string Version);
