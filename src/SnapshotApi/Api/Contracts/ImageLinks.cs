namespace SnapshotApi.Api.Contracts;

/// <summary>Addresses that belong to an image.</summary>
/// <param name="Self">The image.</param>
/// <param name="File">Its bytes, with ranges.</param>
/// <param name="Job">The job that made it.</param>
internal sealed record ImageLinks(string Self, string File, string Job);
