namespace SnapshotApi.Api.Contracts;

/// <summary>A server, named.</summary>
/// <param name="Id">UUID of the server.</param>
/// <param name="Name">Its name when the job was accepted.</param>
internal sealed record ServerReference(Guid Id, string Name);
