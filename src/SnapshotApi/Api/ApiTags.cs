namespace SnapshotApi.Api;

/// <summary>Groups of operations in the API's description.</summary>
internal static class ApiTags
{
    public const string Snapshots = "Snapshots";
    public const string Jobs = "Jobs";
    public const string Images = "Images";
    public const string Servers = "Servers";
    public const string Nodes = "Nodes";
    public const string Health = "Health";

    /// <summary>Each group with what it is, in the order in which a newcomer needs them.</summary>
    public static IReadOnlyList<(string Name, string Description)> All { get; } =
    [
        (Snapshots, "Take an image of a running or stopped server."),
        (Jobs, "Follow a snapshot from request to image, or cancel it."),
        (Images, "Find, download and delete images."),
        (Servers, "Look at the servers of all nodes."),
        (Nodes, "Look at the hosts that do the work."),
        (Health, "Watch the process."),
    ];
}
