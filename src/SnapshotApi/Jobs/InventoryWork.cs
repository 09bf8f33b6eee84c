namespace SnapshotApi.Jobs;

/// <summary>What the inventory publisher is to read next, gathered while it reads. Thread-safe.</summary>
internal sealed class InventoryWork
{
    private readonly Lock _lock = new();
    private readonly HashSet<Guid> _servers = [];
    private readonly List<Request> _requests = [];
    private bool _isAll;

    /// <summary>Somebody waits for an answer.</summary>
    public bool HasRequests
    {
        get
        {
            lock (_lock)
            {
                return _requests.Count > 0;
            }
        }
    }

    /// <summary>All servers.</summary>
    public void AddAll()
    {
        lock (_lock)
        {
            _isAll = true;
        }
    }

    /// <summary>One server.</summary>
    public void Add(Guid serverId)
    {
        lock (_lock)
        {
            _servers.Add(serverId);
        }
    }

    /// <summary>A server, by UUID or name (empty: all), and an answer under that token.</summary>
    public void AddRequest(string token, string server)
    {
        lock (_lock)
        {
            _requests.Add(new Request(token, server));
        }
    }

    /// <summary>Takes what was gathered.</summary>
    public Batch Take()
    {
        lock (_lock)
        {
            var batch = new Batch(_isAll, [.. _servers], [.. _requests]);
            _isAll = false;
            _servers.Clear();
            _requests.Clear();
            return batch;
        }
    }

    /// <summary>One reading's work.</summary>
    public sealed record Batch(bool IsAll, IReadOnlyList<Guid> Servers, IReadOnlyList<Request> Requests);

    /// <summary>Somebody who waits.</summary>
    public sealed record Request(string Token, string Server);
}
