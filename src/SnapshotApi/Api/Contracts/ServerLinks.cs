namespace SnapshotApi.Api.Contracts;

/// <summary>Addresses that belong to a server.</summary>
/// <param name="Self">The server.</param>
/// <param name="Snapshots">Its jobs; send POST to take a snapshot.</param>
internal sealed record ServerLinks(string Self, string Snapshots);
