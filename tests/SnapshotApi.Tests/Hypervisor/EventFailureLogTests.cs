using Microsoft.Extensions.Logging;
using SnapshotApi.Hypervisor;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Tests.Hypervisor;

public sealed class EventFailureLogTests : ILogger<EventFailureLog>
{
    private readonly List<Exception?> _logged = [];

    [Fact]
    public async Task What_an_event_handler_throws_is_logged_while_the_service_runs()
    {
        var log = new EventFailureLog(this);
        var failure = new InvalidOperationException("a handler");
        await log.StartAsync(TestContext.Current.CancellationToken);

        LibvirtEventLoop.ReportHandlerFailure(failure);
        await log.StopAsync(TestContext.Current.CancellationToken);
        LibvirtEventLoop.ReportHandlerFailure(new InvalidOperationException("later"));

        Assert.Contains(failure, _logged);
        Assert.DoesNotContain(_logged, e => e?.Message == "later");
    }

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => true;

    void ILogger.Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter) =>
        _logged.Add(exception);
}
