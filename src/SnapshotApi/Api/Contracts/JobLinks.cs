namespace SnapshotApi.Api.Contracts;

/// <summary>Addresses that belong to a job.</summary>
/// <param name="Self">The job; poll it.</param>
/// <param name="Events">Its step log.</param>
/// <param name="Server">Its server.</param>
/// <param name="Cancel">Send DELETE to cancel the job; null when it is final.</param>
/// <param name="Images">The images it has published, in the order of its disks.</param>
internal sealed record JobLinks(string Self, string Events, string Server, string? Cancel, IReadOnlyList<string> Images);
