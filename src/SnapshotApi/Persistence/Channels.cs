namespace SnapshotApi.Persistence;

/// <summary>PostgreSQL's NOTIFY channels. What is told is only ever a hint to read the rows.</summary>
internal static class Channels
{
    /// <summary>A job changed; payload: its id. Sent by a trigger on <c>jobs</c>.</summary>
    public const string Job = "snapshotapi_job";

    /// <summary>A running job is to be cancelled; payload: its id.</summary>
    public const string Cancel = "snapshotapi_cancel";

    /// <summary>The bandwidth limit of a running job was changed; payload: its id.</summary>
    public const string Limit = "snapshotapi_limit";

    /// <summary>A job was enqueued; payload: the name of its node.</summary>
    public const string Queue = "snapshotapi_queue";

    /// <summary>Nodes are to look at a server anew; payload: token, blank, the server's UUID or name (empty: all servers).</summary>
    public const string Refresh = "snapshotapi_refresh";

    /// <summary>A node published its inventory; payload: the node's name, blank, the token it answers (empty: none).</summary>
    public const string Inventory = "snapshotapi_inventory";

    /// <summary>All of them.</summary>
    public static readonly IReadOnlyList<string> All = [Job, Cancel, Limit, Queue, Refresh, Inventory];
}
