using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>Puts into the log what a handler of libvirt's events threw: it can't be thrown into libvirt, and would be lost.</summary>
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
