using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// How many jobs of this node may use a store at once. Who finds it full waits, in the order of coming, before anything is done to its
/// guest. Thread-safe.
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
