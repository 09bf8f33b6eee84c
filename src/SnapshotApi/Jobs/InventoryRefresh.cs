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

        HashSet<string> pending = await FindNodesAsync(server, cancellationToken).ConfigureAwait(false);
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

        await database.ExecuteAsync(Ask, [Parameter.Text("payload", $"{token} {server}")], cancellationToken)
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

    private async Task<HashSet<string>> FindNodesAsync(string server, CancellationToken cancellationToken)
    {
        IReadOnlyList<NodeRecord> alive =
            await nodes.ListAliveAsync(NodeLiveness.Limit(options.Value), cancellationToken).ConfigureAwait(false);
        var able = alive.Where(n => n.HypervisorConnected).Select(n => n.Name).ToHashSet();
        IReadOnlyList<ServerRecord> known = await servers.FindAsync(server, cancellationToken).ConfigureAwait(false);
        var holders = known.Select(s => s.Node).Where(able.Contains).ToHashSet();
        return holders.Count > 0 ? holders : able;
    }
}
