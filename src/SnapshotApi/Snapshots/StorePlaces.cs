using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// How many jobs of this node may use a store at once. Who finds it full waits, in the order of coming, before anything
/// is done to its guest. Thread-safe.
/// </summary>
internal sealed class StorePlaces(IOptions<StoresOptions> options)
{
    private readonly Dictionary<string, Places> _places = new(StringComparer.Ordinal)
    {
        [StoreNames.Directory] = new(options.Value.Directory.MaxJobs),
        [StoreNames.Glance] = new(options.Value.Glance.MaxJobs),
    };

    /// <summary>Takes a place; it is free again when what is returned is disposed.</summary>
    /// <param name="store">Name of the store; one that has no limit always has a place.</param>
    /// <param name="waits">Called once, with the number of places, when there is none now.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">Cancelled; no place was taken.</exception>
    public async Task<IDisposable?> EnterAsync(string store, Action<int> waits, CancellationToken cancellationToken)
    {
        if (!_places.TryGetValue(store, out Places? places) || places.Free is not { } free)
        {
            return null;
        }

        Task entering = free.WaitAsync(cancellationToken);
        if (!entering.IsCompleted)
        {
            waits(places.Count);
        }

        await entering.ConfigureAwait(false);
        return new Place(free);
    }

    private sealed class Places(int? count)
    {
        public int Count => count ?? 0;

        public SemaphoreSlim? Free { get; } = count is { } places ? new SemaphoreSlim(places) : null;
    }

    private sealed class Place(SemaphoreSlim free) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                free.Release();
            }
        }
    }
}

/// <summary>
/// Which store a request means, and whether it would take the image. Asked twice, like the plan: for the answer to the
/// POST, and before the guest is touched.
/// </summary>
internal static class StoreChoice
{
    // Enough to see what is wrong; a hundred properties may be wrong in the same way.
    private const int MaxProblems = 5;

    /// <summary>The store of a request.</summary>
    /// <exception cref="SnapshotException">
    /// unsupported_request: not configured here, or it refuses the request.
    /// </exception>
    public static IImageStore Find(IEnumerable<IImageStore> stores, SnapshotRequest request, string defaultStore)
    {
        string name = request.Store ?? defaultStore;
        IImageStore store = stores.FirstOrDefault(s => s.Name == name && s.IsConfigured)
            ?? throw new SnapshotException(
                SnapshotErrorCode.UnsupportedRequest, $"the store '{name}' is not configured here");
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
                $"the store '{store.Name}' would refuse the image: "
                + $"{string.Join("; ", problems.Take(MaxProblems))}{more}");
        }
    }
}

/// <summary>
/// A record in Glance that was made before the job, for a client that looks for its image there from the beginning. The
/// job fills it; it is never replaced by another.
/// </summary>
/// <param name="Id">Id of the image.</param>
/// <param name="Type"><c>snapshot</c> or <c>backup</c>: Glance's property <c>image_type</c>.</param>
/// <param name="BackupType">Kind of backup, as its user names it: <c>daily</c>; null for a snapshot.</param>
/// <param name="ProjectId">Project of the server: Glance's property <c>owner_id</c>.</param>
/// <param name="UserId">User who asked for it.</param>
internal sealed record ReservedImage(Guid Id, string Type, string? BackupType, string ProjectId, string UserId);
