using CliWrap;
using SnapshotApi.Errors;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// The one place where child processes are started: argument lists, never a shell; under <c>prlimit</c>; in a session of their own, so
/// that a Ctrl+C at a terminal is not theirs; killed by the kernel when the service dies; with the end of their standard error kept for
/// the log.
/// </summary>
internal sealed partial class ChildProcess(ILogger<ChildProcess> logger) : IDisposable
{
    // Enough for qemu's longest message, little enough for a log line.
    private const int StderrTailChars = 2000;

    private readonly ChildLauncher _launcher = new();

    /// <summary>Runs a tool to its end.</summary>
    /// <param name="tool">Name of the program, found on PATH.</param>
    /// <param name="arguments">Its arguments, each passed as it is.</param>
    /// <param name="limits">Its limits.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <exception cref="SnapshotException">tool_failed: it could not be started or exited with another code than 0.</exception>
    public async Task RunAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, CancellationToken cancellationToken)
    {
        RunningChild child = await StartAsync(tool, arguments, limits, cancellationToken).ConfigureAwait(false);
        await using var _ = child.ConfigureAwait(false);
        await child.WaitAsync().ConfigureAwait(false);
    }

    /// <summary>Runs a tool to its end and hands on each line of its standard output, also one that ends with a carriage return.</summary>
    /// <exception cref="SnapshotException">tool_failed.</exception>
    public async Task RunAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, Action<string> line, CancellationToken cancellationToken)
    {
        RunningChild child = await StartAsync(tool, arguments, limits, PipeTarget.ToDelegate(line), cancellationToken).ConfigureAwait(false);
        await using var _ = child.ConfigureAwait(false);
        await child.WaitAsync().ConfigureAwait(false);
    }

    /// <summary>Runs a tool to its end and returns what it wrote to its standard output, which must be short.</summary>
    /// <exception cref="SnapshotException">tool_failed.</exception>
    public async Task<string> ReadAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, CancellationToken cancellationToken)
    {
        var stdout = new System.Text.StringBuilder();
        RunningChild child = await StartAsync(tool, arguments, limits, PipeTarget.ToStringBuilder(stdout), cancellationToken).ConfigureAwait(false);
        await using var _ = child.ConfigureAwait(false);
        await child.WaitAsync().ConfigureAwait(false);
        return stdout.ToString();
    }

    /// <summary>Runs a tool to its end and returns what it wrote to its standard output, also when it says that it failed.</summary>
    /// <exception cref="SnapshotException">tool_failed: it could not be started.</exception>
    public async Task<string> ReadAnywayAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, CancellationToken cancellationToken)
    {
        var stdout = new System.Text.StringBuilder();
        RunningChild child = await StartAsync(tool, arguments, limits, PipeTarget.ToStringBuilder(stdout), cancellationToken).ConfigureAwait(false);
        await using var _ = child.ConfigureAwait(false);
        await child.WaitForEndAsync().ConfigureAwait(false);
        return stdout.ToString();
    }

    /// <summary>Starts a tool that runs beside us; the caller disposes it, which kills it.</summary>
    /// <exception cref="SnapshotException">tool_failed: it could not be started.</exception>
    public Task<RunningChild> StartAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, CancellationToken cancellationToken) =>
        StartAsync(tool, arguments, limits, PipeTarget.Null, cancellationToken);

    public void Dispose() => _launcher.Dispose();

    private async Task<RunningChild> StartAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, PipeTarget stdout, CancellationToken cancellationToken)
    {
        var stderr = new StderrTail(StderrTailChars);
        var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Command command = Cli.Wrap("setsid")
            .WithArguments(["setpriv", "--pdeathsig", "KILL", "prlimit", .. Limits(limits), "--", tool, .. arguments])
            .WithStandardOutputPipe(stdout)
            .WithValidation(CommandResultValidation.None)
            .WithStandardErrorPipe(PipeTarget.ToDelegate(stderr.Add));
        LogStarting(tool, arguments.Count);
        try
        {
            CommandTask<CommandResult> running = await _launcher.RunAsync(() => command.ExecuteAsync(stop.Token)).ConfigureAwait(false);
            return new RunningChild(tool, running, stderr, stop);
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            stop.Dispose();
            throw new SnapshotException(SnapshotErrorCode.ToolFailed, $"{tool} could not be started", e);
        }
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
