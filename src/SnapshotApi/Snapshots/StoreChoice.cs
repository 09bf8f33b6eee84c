using SnapshotApi.Errors;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Which store a request means, and whether it would take the image. Asked twice, like the plan: for the answer to the POST, and before
/// the guest is touched.
/// </summary>
internal static class StoreChoice
{
    // Enough to see what is wrong; a hundred properties may be wrong in the same way.
    private const int MaxProblems = 5;

    /// <summary>The store of a request.</summary>
    /// <exception cref="SnapshotException">unsupported_request: it is not configured here, or refuses what the user gives.</exception>
    public static IImageStore Find(IEnumerable<IImageStore> stores, SnapshotRequest request, string defaultStore)
    {
        string name = request.Store ?? defaultStore;
        IImageStore store = stores.FirstOrDefault(s => s.Name == name && s.IsConfigured)
            ?? throw new SnapshotException(SnapshotErrorCode.UnsupportedRequest, $"the store '{name}' is not configured here");
        Require(store, request.Name, request.Metadata);
        return store;
    }

    /// <summary>Refuses an image that the store would refuse.</summary>
    /// <exception cref="SnapshotException">unsupported_request, with the reasons.</exception>
    public static void Require(IImageStore store, string name, IReadOnlyDictionary<string, string> properties)
    {
        IReadOnlyList<string> problems = store.Problems(name, properties);
        if (problems.Count > 0)
        {
            string more = problems.Count > MaxProblems ? $"; and {problems.Count - MaxProblems} more" : string.Empty;
            throw new SnapshotException(
                SnapshotErrorCode.UnsupportedRequest,
                $"the store '{store.Name}' would refuse the image: {string.Join("; ", problems.Take(MaxProblems))}{more}");
        }
    }
}
