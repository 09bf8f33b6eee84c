namespace SnapshotApi.Configuration;

/// <summary>What one process does.</summary>
internal enum ServiceRole
{
    /// <summary>Everything, on one node.</summary>
    All,

    /// <summary>Serves the HTTP API.</summary>
    Api,

    /// <summary>Runs the jobs of this host, and serves its health and its image files.</summary>
    Node,

    /// <summary>Brings the database up to date, and ends.</summary>
    Migrate,
}

/// <summary>What follows from a role.</summary>
internal static class ServiceRoleExtensions
{
    /// <summary>It serves the whole HTTP API.</summary>
    public static bool IsApi(this ServiceRole role) => role is ServiceRole.All or ServiceRole.Api;

    /// <summary>It runs jobs.</summary>
    public static bool IsNode(this ServiceRole role) => role is ServiceRole.All or ServiceRole.Node;

    /// <summary>The role as it is written on the command line.</summary>
    public static string Name(this ServiceRole role) => role.ToString().ToLowerInvariant();
}
