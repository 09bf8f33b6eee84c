using Microsoft.Extensions.Options;
using Npgsql;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Jobs;

/// <summary>
/// Publishes what servers the node has: all of them at every interval, one when libvirt says that it changed, and the one that
/// a request is about when it is asked to.
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

    private readonly InventoryWork _work = new();
    private readonly FileLooks<ServerDescription> _chains = new();
    private readonly WakeSignal _wake = new(time);
    private readonly Dictionary<Guid, string> _names = [];
    private bool _isHypervisorAway;

    /// <summary>Publishes until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        hypervisor.InventoryChanged += OnInventoryChanged;
        using IDisposable subscription = listener.Subscribe(Channels.Refresh, OnRefresh);
        _work.AddAll();
        try
        {
            while (true)
            {
                TimeSpan pause = await TryPublishAsync(cancellationToken).ConfigureAwait(false)
                    ? node.Value.InventoryInterval
                    : RetryDelay;
                if (!await _wake.WaitAsync(pause, cancellationToken).ConfigureAwait(false))
                {
                    _work.AddAll();
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
        }
    }

    private void OnInventoryChanged(Guid? serverId)
    {
        if (serverId is { } id)
        {
            _work.Add(id);
        }
        else
        {
            _work.AddAll();
        }

        _wake.Set();
    }

    private void OnRefresh(string? payload)
    {
        // Null: requests may have been missed. Who asked waits no longer than its time-out.
        int blank = payload?.IndexOf(' ') ?? -1;
        if (blank > 0)
        {
            _work.AddRequest(payload![..blank], payload[(blank + 1)..]);
        }
        else
        {
            _work.AddAll();
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
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ForeignKeyViolation)
        {
            // Somebody deleted the node's row; publishing everything makes it again.
            LogAway(e);
            _work.AddAll();
            return false;
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
        {
            LogAway(e);
            _work.AddAll();
            return false;
        }
        catch (Exception e) when (e is SnapshotException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // libvirt is away, or hangs: that, too, is an answer to those who asked.
            LogHypervisor(_isHypervisorAway ? LogLevel.Debug : LogLevel.Warning, e);
            _isHypervisorAway = true;
            return await TryAnswerAwayAsync(batch, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task PublishAsync(InventoryWork.Batch batch, CancellationToken cancellationToken)
    {
        // A request for a server that is not known by that name or UUID is one for all.
        var wanted = new HashSet<Guid>(batch.Servers);
        bool wantsAll = batch.IsAll;
        foreach (string server in batch.Requests.Select(r => r.Server))
        {
            List<Guid> known = [.. _names.Where(n => n.Value == server).Select(n => n.Key)];
            if (Guid.TryParse(server, out Guid id) && _names.ContainsKey(id))
            {
                known = [id];
            }

            wantsAll |= known.Count != 1;
            wanted.UnionWith(known);
        }

        string[] tokens = [.. batch.Requests.Select(r => r.Token)];
        if (wantsAll)
        {
            await PublishAllAsync(tokens, cancellationToken).ConfigureAwait(false);
            return;
        }

        int left = wanted.Count;
        foreach (Guid id in wanted)
        {
            ServerDescription? server = await hypervisor.FindServerAsync(id, cancellationToken).ConfigureAwait(false);
            server = server is null ? null : await DescribeAsync(server, cancellationToken).ConfigureAwait(false);
            problems.Set(id, server);
            string[] answered = --left == 0 ? tokens : [];
            await servers.PublishOneAsync(node.Value.Name, id, server, answered, cancellationToken).ConfigureAwait(false);
            Remember(id, server);
        }
    }

    private async Task PublishAllAsync(IReadOnlyList<string> tokens, CancellationToken cancellationToken)
    {
        // The node's row first: those of its servers refer to it.
        var all = new List<ServerDescription>();
        foreach (ServerDescription server in await hypervisor.ListServersAsync(cancellationToken).ConfigureAwait(false))
        {
            all.Add(await DescribeAsync(server, cancellationToken).ConfigureAwait(false));
        }

        problems.Set(all);
        await heartbeat.PublishAsync(cancellationToken).ConfigureAwait(false);
        await servers.PublishAllAsync(node.Value.Name, all, tokens, cancellationToken).ConfigureAwait(false);
        _names.Clear();
        foreach (ServerDescription server in all)
        {
            Remember(server.Id, server);
        }
    }

    /// <summary>What the node alone can see: chains of servers that are off, and what would keep one that runs from starting again.</summary>
    private async Task<ServerDescription> DescribeAsync(ServerDescription server, CancellationToken cancellationToken)
    {
        ServerDescription complete = await _chains.RunAsync(
            server.Id,
            () => ChainResolver.Complete(server),
            server with { NotAnswering = "a file system that its disks lie on does not answer" },
            cancellationToken).ConfigureAwait(false);
        return await startCheck.WithObstacleAsync(complete, cancellationToken).ConfigureAwait(false);
    }

    private void Remember(Guid id, ServerDescription? server)
    {
        if (server is null)
        {
            _names.Remove(id);
        }
        else
        {
            _names[id] = server.Name;
        }
    }

    private async Task<bool> TryAnswerAwayAsync(InventoryWork.Batch batch, CancellationToken cancellationToken)
    {
        _work.AddAll();
        try
        {
            await heartbeat.PublishAsync(cancellationToken).ConfigureAwait(false);
            await servers.AnswerAsync(node.Value.Name, [.. batch.Requests.Select(r => r.Token)], cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
        {
            LogAway(e);
        }

        return false;
    }

    [LoggerMessage(EventId = 6090, Level = LogLevel.Debug, Message = "The inventory could not be published: the database is away")]
    private partial void LogAway(Exception exception);

    [LoggerMessage(EventId = 6091, Message = "The inventory could not be read")]
    private partial void LogHypervisor(LogLevel level, Exception exception);
}

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
