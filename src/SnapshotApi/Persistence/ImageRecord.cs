using SnapshotApi.Stores;

namespace SnapshotApi.Persistence;

/// <summary>One row of <c>images</c>: an image that a job of ours published.</summary>
/// <param name="Image">Where it is and what it is.</param>
/// <param name="Name">Name given by the user.</param>
/// <param name="JobId">Job that made it.</param>
/// <param name="ServerId">Server it was made of.</param>
/// <param name="ServerName">Name of that server then.</param>
/// <param name="Node">Node whose store holds it.</param>
/// <param name="Target">Disk it was made of.</param>
/// <param name="VirtualSizeBytes">Size of the disk in it.</param>
/// <param name="Properties">Its metadata.</param>
/// <param name="CreatedAt">When it was published.</param>
internal sealed record ImageRecord(
    StoredImage Image,
    string Name,
    Guid JobId,
    Guid ServerId,
    string ServerName,
    string Node,
    string Target,
    long VirtualSizeBytes,
    IReadOnlyDictionary<string, string> Properties,
    DateTimeOffset CreatedAt);
