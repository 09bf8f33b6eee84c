using System.Collections;
using System.Collections.Concurrent;
using System.Text;
using CliWrap;

namespace SnapshotApi.Tools;

/// <summary>
/// The one place where child processes are started: argument lists, never a shell; under <c>prlimit</c>; with no more
/// rights than they need, and nothing of the service's environment; in a session of their own, safe from a Ctrl+C at a
/// terminal; killed by the kernel when the service dies; with the end of their standard error kept for the log.
/// </summary>
internal sealed partial class ChildProcess(ILogger<ChildProcess> logger) : IDisposable
{
    // Enough for qemu's longest message, little enough for a log line.
    private const int StderrTailChars = 2000;

    // Passwords and keys of the service are in its environment. Null takes a variable away.
    private static readonly Dictionary<string, string?> CleanEnvironment = Clean(Environment.GetEnvironmentVariables());

    private readonly ChildLauncher _launcher = new();

    /// <summary>Runs a tool to its end.</summary>
    /// <param name="tool">Name of the program, found on PATH.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <exception cref="SnapshotException">tool_failed: it could not be started, or failed.</exception>
    public Task RunAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, CancellationToken cancellationToken) =>
        RunAsync(tool, arguments, limits, PipeTarget.Null, cancellationToken);

    /// <summary>Also hands on each line of its standard output, which may end with a carriage return.</summary>
    /// <exception cref="SnapshotException">tool_failed.</exception>
    public Task RunAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, Action<string> line,
        CancellationToken cancellationToken) =>
        RunAsync(tool, arguments, limits, PipeTarget.ToDelegate(line), cancellationToken);

    /// <summary>Runs a tool to its end and returns its standard output, which must be short.</summary>
    /// <exception cref="SnapshotException">tool_failed.</exception>
    public async Task<string> ReadAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, CancellationToken cancellationToken)
    {
        var stdout = new StringBuilder();
        await RunAsync(tool, arguments, limits, PipeTarget.ToStringBuilder(stdout), cancellationToken)
            .ConfigureAwait(false);
        return stdout.ToString();
    }

    /// <summary>Runs a tool to its end and returns its standard output, also when it fails.</summary>
    /// <exception cref="SnapshotException">tool_failed: it could not be started.</exception>
    public async Task<string> ReadAnywayAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, CancellationToken cancellationToken)
    {
        var stdout = new StringBuilder();
        RunningChild child = await StartAsync(
            tool, arguments, limits, PipeTarget.ToStringBuilder(stdout), cancellationToken).ConfigureAwait(false);
        await using var _ = child.ConfigureAwait(false);
        await child.WaitForEndAsync().ConfigureAwait(false);
        return stdout.ToString();
    }

    /// <summary>Starts a tool that goes on running; the caller disposes it, which kills it.</summary>
    /// <exception cref="SnapshotException">tool_failed: it could not be started.</exception>
    public Task<RunningChild> StartAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, CancellationToken cancellationToken) =>
        StartAsync(tool, arguments, limits, PipeTarget.Null, cancellationToken);

    public void Dispose() => _launcher.Dispose();

    private async Task RunAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, PipeTarget stdout,
        CancellationToken cancellationToken)
    {
        RunningChild child = await StartAsync(tool, arguments, limits, stdout, cancellationToken).ConfigureAwait(false);
        await using var _ = child.ConfigureAwait(false);
        await child.WaitAsync().ConfigureAwait(false);
    }

    private async Task<RunningChild> StartAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, PipeTarget stdout,
        CancellationToken cancellationToken)
    {
        var stderr = new StderrTail(StderrTailChars);
        var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Command command = Cli.Wrap(SystemCommand.Locate("setsid"))
            .WithArguments(
            [
                "setpriv", "--pdeathsig", "KILL", .. limits.Rights.Arguments(), "prlimit", .. Limits(limits), "--",
                tool, .. arguments,
            ])
            .WithEnvironmentVariables(CleanEnvironment)
            .WithStandardOutputPipe(stdout)
            .WithValidation(CommandResultValidation.None)
            .WithStandardErrorPipe(PipeTarget.ToDelegate(stderr.Add));
        LogStarting(tool, arguments.Count);
        try
        {
            CommandTask<CommandResult> running = await _launcher.RunAsync(() => command.ExecuteAsync(stop.Token))
                .ConfigureAwait(false);
            return new RunningChild(tool, running, stderr, stop);
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            stop.Dispose();
            throw new SnapshotException(SnapshotErrorCode.ToolFailed, $"{tool} could not be started", e);
        }
    }

    private static Dictionary<string, string?> Clean(IDictionary inherited)
    {
        Dictionary<string, string?> clean = inherited.Keys.Cast<string>()
            .ToDictionary(name => name, _ => (string?)null, StringComparer.Ordinal);
        clean["PATH"] = inherited["PATH"] as string ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        clean["LANG"] = "C";
        return clean;
    }

    private static IEnumerable<string> Limits(ChildLimits limits)
    {
        yield return $"--as={limits.AddressSpaceBytes}";
        yield return "--core=0";
        if (limits.CpuSeconds is { } seconds)
        {
            yield return $"--cpu={seconds}";
        }

        if (!limits.MayWriteFiles)
        {
            yield return "--fsize=0";
        }
        else if (limits.FileSizeBytes is { } bytes)
        {
            yield return $"--fsize={bytes}";
        }
    }

    [LoggerMessage(EventId = 5110, Level = LogLevel.Debug, Message = "Starting {Tool} with {ArgumentCount} arguments")]
    private partial void LogStarting(string tool, int argumentCount);
}

/// <summary>
/// One thread that starts child processes and lives as long as the service. A parent-death signal is sent when the
/// thread that forked ends, not when the process does (prctl(2), PR_SET_PDEATHSIG): a child that a thread of the pool
/// has started would be killed when that thread is no longer needed.
/// </summary>
internal sealed class ChildLauncher : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;
    private bool _isDisposed;

    public ChildLauncher()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "child-launcher" };
        _thread.Start();
    }

    /// <summary>Runs what starts a child on that thread.</summary>
    /// <exception cref="ObjectDisposedException">The service has ended.</exception>
    public Task<T> RunAsync<T>(Func<T> start)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            try
            {
                done.SetResult(start());
            }
            catch (Exception e)
            {
                // An exception that leaves a thread ends the process: whoever asked gets it.
                done.SetException(e);
            }
        });
        return done.Task;
    }

    /// <summary>Ends the thread, and with it every child that still runs.</summary>
    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        _work.CompleteAdding();
        _thread.Join();
        _work.Dispose();
    }

    private void Run()
    {
        foreach (Action start in _work.GetConsumingEnumerable())
        {
            start();
        }
    }
}

/// <summary>Limits under which a child process runs: a guest's disk may be crafted to burn memory or time.</summary>
/// <param name="AddressSpaceBytes">RLIMIT_AS, in bytes.</param>
/// <param name="CpuSeconds">RLIMIT_CPU; null: none, for a process that lives as long as a copy.</param>
/// <param name="MayWriteFiles">False: RLIMIT_FSIZE 0.</param>
/// <param name="FileSizeBytes">RLIMIT_FSIZE; null: none.</param>
internal sealed record ChildLimits(
    long AddressSpaceBytes, int? CpuSeconds, bool MayWriteFiles, long? FileSizeBytes = null)
{
    // An image is hardly longer than its disk: tables are an eighth of a percent, vhdx's log and regions a few MiB.
    private const long LongestTablesBytes = 256L << 20;

    // A slow processor converts several times as much in a second.
    private const long SlowestBytesPerSecond = 4L << 20;

    /// <summary>As whom it runs.</summary>
    public ChildRights Rights { get; init; } = ChildRights.Service;

    /// <summary>For metadata operations of qemu-img: 1 GiB, the figure that OpenStack uses, and 30 s of CPU.</summary>
    public static readonly ChildLimits Metadata = new(1L << 30, 30, true);

    // QEMU has up to 32 MiB of L2 cache for a layer: sixteen leave three quarters of the limit below.
    private const int LayersAtFullCache = 16;

    private const long AllCachesBytes = 512L << 20;

    // Beside its L2 cache a layer has four clusters of refcounts, 8 MiB at most, its L1 and its refcount table.
    private const long LayerBytes = 16L << 20;

    /// <summary>
    /// For a read-only qemu-nbd: 2 GiB (its thread stacks count), more for many layers, and no file may grow. Address
    /// space, not memory: 200 empty layers of 300 GiB take 1.7 GiB of it and 0.2 GiB of memory.
    /// </summary>
    public static ChildLimits ReadOnlyServer(int layers) =>
        new((2L << 30) + (LayerBytes * Math.Max(0, layers - LayersAtFullCache)), null, false);

    /// <summary>L2 cache of each layer; null: QEMU's choice. A disk is read in order: little is enough.</summary>
    public static long? CacheBytesPerLayer(int layers) => layers > LayersAtFullCache ? AllCachesBytes / layers : null;

    /// <summary>For qemu-img convert: 2 GiB, the longest such file, and a minute more CPU than needed.</summary>
    public static ChildLimits Conversion(long diskBytes, long dataBytes) => new(
        2L << 30, (int)Math.Min(int.MaxValue, 60 + (dataBytes / SlowestBytesPerSecond) + (diskBytes >> 30)), true,
        diskBytes + (diskBytes / 16) + LongestTablesBytes);
}

/// <summary>A child process that runs; disposing kills it and waits for its end.</summary>
internal sealed class RunningChild(
    string tool, CommandTask<CommandResult> task, StderrTail stderr, CancellationTokenSource stop) : IAsyncDisposable
{
    // QEMU's tools set no locale: always English, after what they were writing.
    private const string NoSpaceWords = "No space left on device";

    private bool _disposed;

    public bool HasExited => task.Task.IsCompleted;

    /// <exception cref="SnapshotException">tool_failed; no_space: for want of space.</exception>
    /// <exception cref="OperationCanceledException">Killed by the token it was started with.</exception>
    public async Task WaitAsync()
    {
        CommandResult result = await task.ConfigureAwait(false);
        if (result.ExitCode != 0)
        {
            throw Failure($"exit code {result.ExitCode}");
        }
    }

    /// <summary>Waits for its end, whatever its exit code.</summary>
    public Task WaitForEndAsync() => task.Task;

    /// <summary>The kernel refused one of QEMU's tools that file.</summary>
    public static bool WasDenied(SnapshotException failure, string path) => failure.InnerException?.Message.Contains(
        $"Could not open '{path}': Permission denied", StringComparison.Ordinal) == true;

    /// <summary>The error when it ends too early, with the tool's words, in which no path is left.</summary>
    public SnapshotException Failure(string what)
    {
        string said = stderr.ToString();
        var inner = new InvalidOperationException($"{tool}: {what}: {said}");
        return said.Contains(NoSpaceWords, StringComparison.Ordinal)
            ? new SnapshotException(SnapshotErrorCode.NoSpace, $"{tool} found no space left to write to", inner)
            : new SnapshotException(
                SnapshotErrorCode.ToolFailed,
                said.Length > 0 ? $"{tool} failed: {what}: {HostText.Clean(said)}" : $"{tool} failed: {what}", inner);
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        await stop.CancelAsync().ConfigureAwait(false);
        await ((Task)task.Task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
    }
}

/// <summary>The end of what a child process wrote to its standard error. Thread-safe.</summary>
internal sealed class StderrTail(int maxChars)
{
    private readonly Lock _lock = new();
    private string _text = "";

    public void Add(string line)
    {
        lock (_lock)
        {
            string text = _text.Length == 0 ? line : $"{_text}; {line}";
            _text = text.Length <= maxChars ? text : text[^maxChars..];
        }
    }

    public override string ToString()
    {
        lock (_lock)
        {
            return _text;
        }
    }
}
