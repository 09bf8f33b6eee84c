using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Npgsql;
using Polly;

namespace SnapshotApi.Persistence;

/// <summary>
/// The one connection of this process that LISTENs. A lost one is opened again; then every subscriber is told to read
/// again, since notifications may have been missed.
/// </summary>
internal sealed partial class DatabaseListener(
    NpgsqlDataSource source, IOptions<ServiceOptions> service, TimeProvider time, ILogger<DatabaseListener> logger)
    : BackgroundService
{
    private static readonly TimeSpan ReconnectDelay = TimeSpan.FromMilliseconds(200);

    // A statement in this interval finds a connection whose peer vanished without a word (a firewall, a power cut).
    // Those who poll a job are answered from memory meanwhile. Nodes serve nobody, and there may be a thousand.
    private readonly TimeSpan _pingInterval = TimeSpan.FromSeconds(service.Value.Role == ServiceRole.Node ? 30 : 10);

    private ImmutableList<Subscription> _subscriptions = [];
    private volatile bool _isListening;

    /// <summary>Notifications arrive; else a reader has to poll.</summary>
    public bool IsListening => _isListening;

    /// <summary>Subscribes to a channel until the subscription is disposed.</summary>
    /// <param name="channel">One of <see cref="Channels"/>.</param>
    /// <param name="handler">
    /// Gets the payload, or null when notifications may have been missed: after a loss and after a (re)connect. Called
    /// one at a time on the listener's loop: return at once, never throw.
    /// </param>
    public IDisposable Subscribe(string channel, Action<string?> handler)
    {
        var subscription = new Subscription(this, channel, handler);
        ImmutableInterlocked.Update(ref _subscriptions, (list, item) => list.Add(item), subscription);
        return subscription;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        ResiliencePipeline connecting =
            RetryPolicies.Connecting(time, IsLoss, (e, delay) => LogLost(e, delay.TotalMilliseconds));
        while (true)
        {
            await connecting.RunUntilStoppedAsync(ListenAsync, stoppingToken).ConfigureAwait(false);
            await Task.Delay(ReconnectDelay, time, stoppingToken).ConfigureAwait(false);
        }
    }

    // The life of one connection: throws when it can't be opened, returns when it was lost.
    private async ValueTask ListenAsync(CancellationToken cancellationToken)
    {
        NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using ConfiguredAsyncDisposable connectionScope = connection.ConfigureAwait(false);
        connection.Notification += (_, e) => Tell(e.Channel, e.Payload);
        string listen = string.Join(' ', Channels.For(service.Value.Role).Select(c => $"LISTEN {c};"));
        await Database.ExecuteAsync(connection, listen, [], cancellationToken).ConfigureAwait(false);
        LogListening();
        Tell(null, null);
        _isListening = true;
        try
        {
            while (true)
            {
                if (!await connection.WaitAsync(_pingInterval, cancellationToken).ConfigureAwait(false))
                {
                    await Database.ExecuteAsync(connection, "SELECT 1", [], cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (IsLoss(e))
        {
            LogLost(e, ReconnectDelay.TotalMilliseconds);
        }
        finally
        {
            _isListening = false;
            Tell(null, null);
        }
    }

    private static bool IsLoss(Exception e) =>
        e is NpgsqlException or InvalidOperationException or IOException || DatabaseFault.IsAway(e);

    private void Tell(string? channel, string? payload)
    {
        foreach (Subscription subscription in _subscriptions)
        {
            if (channel is null || subscription.Channel == channel)
            {
                subscription.Handler(payload);
            }
        }
    }

    private sealed record Subscription(DatabaseListener Owner, string Channel, Action<string?> Handler) : IDisposable
    {
        public void Dispose() => ImmutableInterlocked.Update(
            ref Owner._subscriptions, (list, item) => list.RemoveAll(s => ReferenceEquals(s, item)), this);
    }

    [LoggerMessage(5000, LogLevel.Debug, "Listening for notifications")]
    private partial void LogListening();

    [LoggerMessage(5001, LogLevel.Warning, "Notifications do not arrive; polling meanwhile, next try in {DelayMs} ms")]
    private partial void LogLost(Exception exception, double delayMs);
}

/// <summary>PostgreSQL's NOTIFY channels. A notification is only a hint to read the rows.</summary>
internal static class Channels
{
    /// <summary>A job changed; payload: its id. Sent by a trigger on <c>jobs</c>.</summary>
    public const string Job = "snapshotapi_job";

    /// <summary>A running job is to be cancelled; payload: its id.</summary>
    public const string Cancel = "snapshotapi_cancel";

    /// <summary>The bandwidth limit of a running job was changed; payload: its id.</summary>
    public const string Limit = "snapshotapi_limit";

    /// <summary>A job was enqueued; payload: the name of its node.</summary>
    public const string Queue = "snapshotapi_queue";

    /// <summary>Nodes are to read a server again; payload: a <c>RefreshRequest</c>.</summary>
    public const string Refresh = "snapshotapi_refresh";

    /// <summary>A node answers a request to look again; payload: its name, blank, the token.</summary>
    public const string Inventory = "snapshotapi_inventory";

    /// <summary>A node is to prove its captures; payload: its name.</summary>
    public const string Check = "snapshotapi_check";

    private static readonly string[] OfApi = [Job, Inventory];
    private static readonly string[] OfNode = [Cancel, Limit, Queue, Refresh, Check];

    /// <summary>What a process listens to: a node has no use for each change of every job of the fleet.</summary>
    public static IEnumerable<string> For(ServiceRole role) =>
        (role.IsApi() ? OfApi : []).Concat(role.IsNode() ? OfNode : []);
}
