using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Asks nodes to read a server again and waits, briefly, until they have published it, so that a request is judged with
/// what has changed a moment ago.
/// </summary>
internal sealed class InventoryRefresh(
    Database database,
    DatabaseListener listener,
    ServerTable servers,
    NodeTable nodes,
    IOptions<JobsOptions> options,
    TimeProvider time)
{
    private const string Ask = $"SELECT pg_notify('{Channels.Refresh}', @payload)";

    // PostgreSQL's payloads end at 8000 bytes; libvirt's names are far shorter.
    private const int LongestName = 1000;

    /// <summary>Waits until every node that may have the server has published it again, or for the time-out.</summary>
    /// <param name="server">UUID or name.</param>
    /// <param name="timeout">How long to wait; null: <see cref="JobsOptions.RefreshTimeout"/>.</param>
    /// <returns>False: what was published last counts.</returns>
    public async Task<bool> RefreshAsync(string server, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        if (!listener.IsListening || server.Length > LongestName)
        {
            return false;
        }

        (HashSet<string> pending, bool isKnown) = await FindNodesAsync(server, cancellationToken).ConfigureAwait(false);
        if (pending.Count == 0)
        {
            return false;
        }

        string token = Guid.NewGuid().ToString("N");
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using IDisposable subscription = listener.Subscribe(Channels.Inventory, payload =>
        {
            // Null: answers may have been missed; then the time-out ends the wait.
            int blank = payload?.LastIndexOf(' ') ?? -1;
            bool isAnswer = blank >= 0 && payload![(blank + 1)..] == token;
            if (isAnswer && pending.Remove(payload![..blank]) && pending.Count == 0)
            {
                answered.TrySetResult();
            }
        });

        var request = new RefreshRequest(token, server, isKnown ? [.. pending] : []);
        await database.ExecuteAsync(Ask, [Parameter.Text("payload", request.ToPayload())], cancellationToken)
            .ConfigureAwait(false);
        try
        {
            await answered.Task.WaitAsync(timeout ?? options.Value.RefreshTimeout, time, cancellationToken)
                .ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            // A node that is slow or just died: the request is judged by what it published last.
            return false;
        }
    }

    /// <returns>The nodes that are to look; false: no node that answers is known to have the server.</returns>
    private async Task<(HashSet<string> Nodes, bool IsKnown)> FindNodesAsync(
        string server, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> alive =
            await nodes.ListAbleAsync(NodeLiveness.Limit(options.Value), cancellationToken).ConfigureAwait(false);
        IReadOnlyList<string> known = await servers.FindNodesAsync(server, cancellationToken).ConfigureAwait(false);
        var able = alive.ToHashSet();
        var holders = known.Where(able.Contains).ToHashSet();
        return holders.Count is > 0 and <= RefreshRequest.MaxNodes ? (holders, true) : (able, false);
    }
}

/// <summary>A request to nodes to look at a server again, as it is notified.</summary>
/// <param name="Token">They answer it.</param>
/// <param name="Server">UUID or name.</param>
/// <param name="Nodes">Those that are asked; empty: all that have such a server.</param>
internal sealed record RefreshRequest(string Token, string Server, IReadOnlyList<string> Nodes)
{
    /// <summary>A server that migrates is on two.</summary>
    public const int MaxNodes = 8;

    // In no name. A node of an older version takes the rest for the server's name, and answers after a full look.
    private const char Separator = '\u001f';

    /// <summary>Null: it is none.</summary>
    public static RefreshRequest? Parse(string payload)
    {
        string[] parts = payload.Split(Separator);
        int blank = parts[0].IndexOf(' ', StringComparison.Ordinal);
        return blank > 0 ? new RefreshRequest(parts[0][..blank], parts[0][(blank + 1)..], parts[1..]) : null;
    }

    public string ToPayload() => string.Join(Separator, Nodes.Prepend($"{Token} {Server}"));
}
