using Hangfire.AspNetCore;
using Hangfire.Logging;

namespace SnapshotApi.Jobs;

/// <summary>
/// Gives Hangfire our log. Hangfire keeps its log provider in a static: one of a host that has ended must not make the next host of
/// this process fail.
/// </summary>
internal sealed class HangfireLogs(ILoggerFactory loggers) : ILogProvider
{
    private readonly AspNetCoreLogProvider _inner = new(loggers);

    public ILog GetLogger(string name)
    {
        try
        {
            return _inner.GetLogger(name);
        }
        catch (ObjectDisposedException)
        {
            return new Silence();
        }
    }

    private sealed class Silence : ILog
    {
        public bool Log(Hangfire.Logging.LogLevel logLevel, Func<string>? messageFunc, Exception? exception = null) => false;
    }
}
