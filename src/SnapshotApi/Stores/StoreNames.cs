namespace SnapshotApi.Stores;

/// <summary>Names of the stores that this version knows.</summary>
internal static class StoreNames
{
    /// <summary>Images as files in a directory of the node.</summary>
    public const string Directory = "directory";

    /// <summary>Images in OpenStack's image service.</summary>
    public const string Glance = "glance";

    /// <summary>All of them.</summary>
    public static readonly IReadOnlyList<string> All = [Directory, Glance];
}
