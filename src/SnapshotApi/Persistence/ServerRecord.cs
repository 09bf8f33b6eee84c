using SnapshotApi.Hypervisor;

namespace SnapshotApi.Persistence;

/// <summary>One row of <c>servers</c>: a server as its node last saw it.</summary>
/// <param name="Node">Node that runs it.</param>
/// <param name="Description">What the node read.</param>
/// <param name="SeenAt">When.</param>
internal sealed record ServerRecord(string Node, ServerDescription Description, DateTimeOffset SeenAt);
