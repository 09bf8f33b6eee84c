using System.Net.Sockets;
using Microsoft.Extensions.Hosting.Systemd;

namespace SnapshotApi.Host;

/// <summary>
/// Tells systemd that the process works (<c>WatchdogSec=</c>), from a thread of its own, as long as the thread pool does
/// what it is given: a service whose pool hangs is killed and started again, and undoes what it left. It goes on until
/// the process ends, for an undo at the end may take minutes.
/// https://www.freedesktop.org/software/systemd/man/252/sd_watchdog_enabled.html
/// </summary>
internal sealed class SystemdWatchdog(ISystemdNotifier notifier, TimeSpan period, Action<Action> post)
    : IHostedService, IDisposable
{
    // A busy pool may take two of the four periods for its answer.
    private const int PeriodsPerTimeout = 4;

    private static readonly ServiceState Alive = new("WATCHDOG=1");

    private readonly ManualResetEventSlim _ended = new();
    private Thread? _thread;
    private volatile bool _hasAnswered = true;

    /// <summary>How often systemd is told; null when it does not ask this process.</summary>
    /// <param name="timeoutMicroseconds">WATCHDOG_USEC.</param>
    /// <param name="processId">WATCHDOG_PID; null: any process.</param>
    public static TimeSpan? PeriodOf(string? timeoutMicroseconds, string? processId) =>
        long.TryParse(timeoutMicroseconds, NumberStyles.None, CultureInfo.InvariantCulture, out long microseconds)
        && microseconds > 0
        && (processId is null || processId == Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
            ? TimeSpan.FromMicroseconds((double)microseconds / PeriodsPerTimeout)
            : null;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "watchdog" };
        _thread.Start();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Tells systemd if the pool has answered since the last time, and asks the pool again.</summary>
    public void Beat()
    {
        if (!_hasAnswered)
        {
            return;
        }

        _hasAnswered = false;
        post(() => _hasAnswered = true);
        try
        {
            notifier.Notify(Alive);
        }
        catch (SocketException)
        {
            // systemd may be executing itself anew; the next beat reaches it, or it does not watch any more.
        }
    }

    public void Dispose()
    {
        _ended.Set();
        _thread?.Join();
        _ended.Dispose();
    }

    private void Run()
    {
        do
        {
            Beat();
        }
        while (!_ended.Wait(period));
    }
}

/// <summary>Registers what talks to systemd, where the process runs under it.</summary>
internal static class SystemdServices
{
    /// <summary>
    /// systemd waits until the service says that it has started. AddSystemd would look for its parent in /proc, which
    /// the units hide.
    /// </summary>
    public static void AddSystemdNotifications(this IServiceCollection services, IConfiguration configuration)
    {
        if (configuration["NOTIFY_SOCKET"] is null)
        {
            return;
        }

        services.AddSingleton<ISystemdNotifier, SystemdNotifier>().AddSingleton<IHostLifetime, SystemdLifetime>();
        if (SystemdWatchdog.PeriodOf(configuration["WATCHDOG_USEC"], configuration["WATCHDOG_PID"]) is { } period)
        {
            services.AddSingleton<IHostedService>(provider => new SystemdWatchdog(
                provider.GetRequiredService<ISystemdNotifier>(),
                period,
                work => ThreadPool.UnsafeQueueUserWorkItem(static action => action(), work, preferLocal: false)));
        }
    }
}
