namespace SnapshotApi.Captures;

/// <summary>Our files outside the work directory and the store: clones beside a guest's disk.</summary>
internal static class ForeignFiles
{
    /// <summary>How their names begin; the id of the job follows.</summary>
    public const string Prefix = ".snapshotapi-";
}
