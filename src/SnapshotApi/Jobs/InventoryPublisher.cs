using System.Collections.Immutable;
using Npgsql;
using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Jobs;

/// <summary>
/// Looks at all servers of the node at every interval, and at one when it changes or a request asks. What has not
/// changed since it was published is not written again.
/// </summary>
internal sealed partial class InventoryPublisher(
    ServerTable servers,
    NodeHeartbeat heartbeat,
    IHypervisor hypervisor,
    StartCheck startCheck,
    ServerProblems problems,
    DatabaseListener listener,
    IOptions<NodeOptions> node,
    TimeProvider time,
    ILogger<InventoryPublisher> logger)
{
    // A guest that starts raises several events at once; one reading serves them all.
    private static readonly TimeSpan Debounce = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    // Hundreds of servers are described in a second or two.
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    // Somebody else may have changed the rows: a database that was restored from a backup.
    private static readonly TimeSpan WholeInterval = TimeSpan.FromMinutes(10);

    private readonly InventoryWork _work = new();
    private readonly FileLooks<ServerDescription> _chains = new();
    private readonly WakeSignal _wake = new(time);
    private readonly Dictionary<Guid, Published> _published = [];
    private long _wholeAt;
    private volatile bool _isWholeDue = true;
    private bool _isHypervisorAway;

    /// <summary>Publishes until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        hypervisor.InventoryChanged += OnInventoryChanged;
        heartbeat.RowMade += OnRowMade;
        using IDisposable subscription = listener.Subscribe(Channels.Refresh, OnRefresh);

        // Whatever ended the former loop: what it had published is not certain.
        _isWholeDue = true;
        _work.Add(null);
        try
        {
            while (true)
            {
                TimeSpan pause = await TryPublishAsync(cancellationToken).ConfigureAwait(false)
                    ? node.Value.InventoryInterval
                    : RetryDelay;
                if (!await _wake.WaitAsync(pause, cancellationToken).ConfigureAwait(false))
                {
                    _work.Add(null);
                }
                else if (!_work.HasRequests)
                {
                    await _wake.WaitAsync(Debounce, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            hypervisor.InventoryChanged -= OnInventoryChanged;
            heartbeat.RowMade -= OnRowMade;
        }
    }

    private void OnRowMade()
    {
        _isWholeDue = true;
        _work.Add(null);
        _wake.Set();
    }

    private void OnInventoryChanged(Guid? serverId)
    {
        _work.Add(serverId);
        _wake.Set();
    }

    private void OnRefresh(string? payload)
    {
        if (payload is null)
        {
            // Requests may have been missed: their askers wait no longer than their time-out. And the database may be
            // another, which has lost rows.
            _isWholeDue = true;
            _work.Add(null);
        }
        else if (RefreshRequest.Parse(payload) is not { } request)
        {
            _work.Add(null);
        }
        else if (request.Nodes.Count == 0 || request.Nodes.Contains(node.Value.Name))
        {
            _work.AddRequest(request.Token, request.Server);
        }
        else
        {
            return;
        }

        _wake.Set();
    }

    private async Task<bool> TryPublishAsync(CancellationToken cancellationToken)
    {
        InventoryWork.Batch batch = _work.Take();
        using var timeout = new CancellationTokenSource(Timeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            await PublishAsync(batch, limit.Token).ConfigureAwait(false);
            _isHypervisorAway = false;
            return true;
        }
        catch (Exception e) when (e is SnapshotException { Code: SnapshotErrorCode.DatabaseUnavailable }
            or PostgresException { SqlState: PostgresErrorCodes.ForeignKeyViolation })
        {
            // A foreign key: somebody deleted the node's row, and publishing everything makes it again.
            LogAway(e);
            _work.Add(null);
            _isWholeDue = true;
            return false;
        }
        catch (Exception e) when (e is SnapshotException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // libvirt is away, or hangs: that, too, answers those who asked.
            _isWholeDue = true;
            LogHypervisor(_isHypervisorAway ? LogLevel.Debug : LogLevel.Warning, e);
            _isHypervisorAway = true;
            return await TryAnswerAwayAsync(batch, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task PublishAsync(InventoryWork.Batch batch, CancellationToken cancellationToken)
    {
        if (batch.IsAll)
        {
            await PublishAllAsync(batch.Tokens, cancellationToken).ConfigureAwait(false);
            return;
        }

        // A request names one server, known or not: only that is looked for.
        var wanted = new HashSet<Guid>(batch.Servers);
        foreach (string server in batch.Requests.Select(r => r.Server).Distinct())
        {
            wanted.UnionWith(_published.Where(p => p.Value.Name == server).Select(p => p.Key));
            if (Guid.TryParse(server, out Guid id))
            {
                wanted.Add(id);
            }

            if (await hypervisor.FindIdAsync(server, cancellationToken).ConfigureAwait(false) is { } named)
            {
                wanted.Add(named);
            }
        }

        var found = new List<ServerDescription>();
        foreach (Guid id in wanted)
        {
            ServerDescription? server = await hypervisor.FindServerAsync(id, cancellationToken).ConfigureAwait(false);
            server = server is null or { CanaryOf: not null }
                ? null
                : await DescribeAsync(server, cancellationToken).ConfigureAwait(false);
            problems.Set(id, server);
            if (server is not null)
            {
                found.Add(server);
            }
        }

        IEnumerable<Guid> gone = wanted.Except(found.Select(s => s.Id)).Where(_published.ContainsKey);
        await PublishChangesAsync(found, [.. gone], batch.Tokens, cancellationToken).ConfigureAwait(false);
    }

    private async Task PublishAllAsync(IReadOnlyList<string> tokens, CancellationToken cancellationToken)
    {
        var all = new List<ServerDescription>();
        long start = time.GetTimestamp();
        IReadOnlyList<ServerDescription> found =
            await hypervisor.ListServersAsync(cancellationToken).ConfigureAwait(false);
        foreach (ServerDescription server in found.Where(s => s.CanaryOf is null))
        {
            all.Add(await DescribeAsync(server, cancellationToken).ConfigureAwait(false));
        }

        problems.Set(all);
        if (!_isWholeDue && time.GetElapsedTime(_wholeAt) < WholeInterval)
        {
            IEnumerable<Guid> gone = _published.Keys.Except(all.Select(s => s.Id));
            await PublishChangesAsync(all, [.. gone], tokens, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            // The node's row first: those of its servers refer to it.
            await heartbeat.PublishAsync(cancellationToken).ConfigureAwait(false);
            _isWholeDue = false;
            await servers.PublishAllAsync(node.Value.Name, all, tokens, cancellationToken).ConfigureAwait(false);
            _published.Clear();
            all.ForEach(server => _published[server.Id] = Published.Of(server));
            _wholeAt = start;
        }

        heartbeat.SawAllServers(start);
    }

    private async Task PublishChangesAsync(
        IReadOnlyList<ServerDescription> found, IReadOnlyList<Guid> vanished, IReadOnlyList<string> tokens,
        CancellationToken cancellationToken)
    {
        List<(ServerDescription Server, Published New)> changed =
        [
            .. found.Select(s => (s, Published.Of(s))).Where(s => _published.GetValueOrDefault(s.s.Id) != s.Item2),
        ];
        if (changed.Count == 0 && vanished.Count == 0 && tokens.Count == 0)
        {
            return;
        }

        await servers.PublishChangesAsync(
            node.Value.Name, [.. changed.Select(c => c.Server)], vanished, tokens, cancellationToken)
            .ConfigureAwait(false);
        changed.ForEach(c => _published[c.Server.Id] = c.New);
        foreach (Guid id in vanished)
        {
            _published.Remove(id);
        }
    }

    /// <summary>Adds what only the node sees: chains of stopped servers, and obstacles to a start.</summary>
    private async Task<ServerDescription> DescribeAsync(ServerDescription server, CancellationToken cancellationToken)
    {
        ServerDescription complete = await _chains.RunAsync(
            server.Id,
            () => ChainResolver.Complete(server),
            server with { NotAnswering = "a file system that its disks lie on does not answer" },
            cancellationToken).ConfigureAwait(false);
        return await startCheck.WithObstacleAsync(complete, cancellationToken).ConfigureAwait(false);
    }

    private async Task<bool> TryAnswerAwayAsync(InventoryWork.Batch batch, CancellationToken cancellationToken)
    {
        _work.Add(null);
        try
        {
            await heartbeat.PublishAsync(cancellationToken).ConfigureAwait(false);
            await servers.AnswerAsync(node.Value.Name, batch.Tokens, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
        {
            LogAway(e);
        }

        return false;
    }

    /// <summary>A server as its row is now.</summary>
    private sealed record Published(string Name, string Description)
    {
        public static Published Of(ServerDescription server) => new(server.Name, ServerTable.TextOf(server));
    }

    [LoggerMessage(6090, LogLevel.Debug, "The inventory could not be published: the database is away")]
    private partial void LogAway(Exception exception);

    [LoggerMessage(EventId = 6091, Message = "The inventory could not be read")]
    private partial void LogHypervisor(LogLevel level, Exception exception);
}

/// <summary>What the inventory publisher is to read next, gathered while it reads. Thread-safe.</summary>
internal sealed class InventoryWork
{
    private Batch _batch = Batch.Empty;

    /// <summary>Somebody waits for an answer.</summary>
    public bool HasRequests => !Volatile.Read(ref _batch).Requests.IsEmpty;

    /// <summary>One server; null: all.</summary>
    public void Add(Guid? serverId) => ImmutableInterlocked.Update(
        ref _batch, b => serverId is { } id ? b with { Servers = b.Servers.Add(id) } : b with { IsAll = true });

    /// <summary>A server, by UUID or name (empty: all), and an answer under that token.</summary>
    public void AddRequest(string token, string server) =>
        ImmutableInterlocked.Update(ref _batch, b => b with { Requests = b.Requests.Add(new Request(token, server)) });

    /// <summary>Takes what was gathered.</summary>
    public Batch Take() => Interlocked.Exchange(ref _batch, Batch.Empty);

    /// <summary>The work of one reading.</summary>
    public sealed record Batch(bool IsAll, ImmutableHashSet<Guid> Servers, ImmutableList<Request> Requests)
    {
        public static Batch Empty { get; } = new(false, [], []);

        public IReadOnlyList<string> Tokens => [.. Requests.Select(r => r.Token)];
    }

    public sealed record Request(string Token, string Server);
}
