using System.Collections.Immutable;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>Hands libvirt's events to the watches, on its thread. A lost connection wakes every watch.</summary>
internal sealed partial class LibvirtEvents : IDisposable
{
    private readonly Func<Action<Guid?>?> _inventoryChanged;
    private readonly ILogger _logger;
    private readonly IReadOnlyList<IDisposable> _subscriptions;
    private ImmutableList<ServerWatch> _serverWatches = [];
    private ImmutableList<BlockJobWatch> _blockJobWatches = [];

    public LibvirtEvents(LibvirtSession session, Func<Action<Guid?>?> inventoryChanged, ILogger logger)
    {
        (_inventoryChanged, _logger) = (inventoryChanged, logger);
        _subscriptions =
        [
            session.SubscribeLifecycle(OnLifecycle),
            session.SubscribeBlockJob(OnBlockJob),
            session.SubscribeIoError(OnIoError),
            session.SubscribeAgentLifecycle(OnAgent),
        ];
        session.Connected += OnConnected;
        session.Disconnected += OnDisconnected;
    }

    /// <summary>Begins to watch a server; the caller disposes the watch.</summary>
    public IServerWatch WatchServer(Guid serverId)
    {
        var watch = new ServerWatch(
            serverId, w => ImmutableInterlocked.Update(ref _serverWatches, all => all.Remove(w)));
        ImmutableInterlocked.Update(ref _serverWatches, list => list.Add(watch));
        return watch;
    }

    /// <summary>Begins to watch the block jobs of a server; the caller disposes the watch.</summary>
    public IBlockJobWatch WatchBlockJobs(Guid serverId)
    {
        var watch = new BlockJobWatch(
            serverId, w => ImmutableInterlocked.Update(ref _blockJobWatches, all => all.Remove(w)));
        ImmutableInterlocked.Update(ref _blockJobWatches, list => list.Add(watch));
        return watch;
    }

    public void Dispose()
    {
        foreach (IDisposable subscription in _subscriptions)
        {
            subscription.Dispose();
        }

        _serverWatches = [];
        _blockJobWatches = [];
    }

    private void OnLifecycle(LifecycleEvent e)
    {
        foreach (ServerWatch watch in _serverWatches.Where(w => w.ServerId == e.DomainUuid))
        {
            watch.OnLifecycle(e);
        }

        _inventoryChanged()?.Invoke(e.DomainUuid);
    }

    private void OnBlockJob(BlockJobEvent e)
    {
        if (!Enum.IsDefined(e.Status))
        {
            return;
        }

        foreach (BlockJobWatch watch in _blockJobWatches.Where(w => w.ServerId == e.DomainUuid))
        {
            watch.OnEvent(e.Disk, e.Status);
        }
    }

    private void OnIoError(IoErrorEvent e)
    {
        LogIoError(e.DomainUuid, e.DeviceAlias, e.Reason, e.Action.ToString());
        foreach (ServerWatch watch in _serverWatches.Where(w => w.ServerId == e.DomainUuid))
        {
            watch.OnIoError(e.DeviceAlias, e.Action, e.Reason);
        }
    }

    private void OnAgent(AgentLifecycleEvent e) => _inventoryChanged()?.Invoke(e.DomainUuid);

    private void OnConnected(LibvirtConnection connection) => _inventoryChanged()?.Invoke(null);

    private void OnDisconnected(ConnectionCloseReason reason)
    {
        LogDisconnected(reason.ToString());
        foreach (BlockJobWatch watch in _blockJobWatches)
        {
            watch.Wake();
        }

        foreach (ServerWatch watch in _serverWatches)
        {
            watch.OnDisconnected();
        }

        _inventoryChanged()?.Invoke(null);
    }

    [LoggerMessage(EventId = 5100, Level = LogLevel.Warning,
        Message = "QEMU reported an I/O error of server {ServerId} on {Device}: {Reason}; {Action}")]
    private partial void LogIoError(Guid serverId, string device, string reason, string action);

    [LoggerMessage(EventId = 5101, Level = LogLevel.Warning, Message = "The connection to libvirt was lost: {Reason}")]
    private partial void LogDisconnected(string reason);
}

/// <summary>Logs what a handler of libvirt's events threw, which can't be thrown into libvirt.</summary>
internal sealed partial class EventFailureLog(ILogger<EventFailureLog> logger) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        LibvirtEventLoop.EventHandlerFailed += LogFailed;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        LibvirtEventLoop.EventHandlerFailed -= LogFailed;
        return Task.CompletedTask;
    }

    [LoggerMessage(EventId = 4090, Level = LogLevel.Error, Message = "A handler of libvirt's events failed")]
    private partial void LogFailed(Exception exception);
}
