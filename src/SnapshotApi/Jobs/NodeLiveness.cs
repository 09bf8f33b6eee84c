using SnapshotApi.Configuration;

namespace SnapshotApi.Jobs;

/// <summary>When a node is taken for dead.</summary>
internal static class NodeLiveness
{
    // One sign of life may be late, two may be lost in a database's restart.
    private const int MissedHeartbeats = 3;

    /// <summary>A node whose last sign of life is older than this is taken for dead.</summary>
    public static TimeSpan Limit(JobsOptions options) => options.HeartbeatInterval * MissedHeartbeats;
}
