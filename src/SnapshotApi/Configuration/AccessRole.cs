namespace SnapshotApi.Configuration;

/// <summary>What a caller of the API may do; each role may do all that those before it may.</summary>
internal enum AccessRole
{
    /// <summary>Look at everything, and download images.</summary>
    Reader,

    /// <summary>Take snapshots, and change and cancel jobs.</summary>
    Operator,

    /// <summary>Delete images, and use Hangfire's dashboard.</summary>
    Admin,
}

/// <summary>What follows from a role.</summary>
internal static class AccessRoleExtensions
{
    /// <summary>The role as it is written in the configuration and in messages.</summary>
    public static string Name(this AccessRole role) => role.ToString().ToLowerInvariant();
}
