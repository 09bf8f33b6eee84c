using CliWrap;
using SnapshotApi.Errors;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// The one place where child processes are started: argument lists, never a shell; under <c>prlimit</c>; with the end of their
/// standard error kept for the log.
/// </summary>
internal sealed partial class ChildProcess(ILogger<ChildProcess> logger)
{
    // Enough for qemu's longest message, little enough for a log line.
    private const int StderrTailChars = 2000;

    /// <summary>Runs a tool to its end.</summary>
    /// <param name="tool">Name of the program, found on PATH.</param>
    /// <param name="arguments">Its arguments, each passed as it is.</param>
    /// <param name="limits">Its limits.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <exception cref="SnapshotException">tool_failed: it could not be started or exited with another code than 0.</exception>
    public async Task RunAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, CancellationToken cancellationToken)
    {
        RunningChild child = Start(tool, arguments, limits, cancellationToken);
        await using var _ = child.ConfigureAwait(false);
        await child.WaitAsync().ConfigureAwait(false);
    }

    /// <summary>Runs a tool to its end and hands on each line of its standard output, also one that ends with a carriage return.</summary>
    /// <exception cref="SnapshotException">tool_failed.</exception>
    public async Task RunAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, Action<string> line, CancellationToken cancellationToken)
    {
        RunningChild child = Start(tool, arguments, limits, PipeTarget.ToDelegate(line), cancellationToken);
        await using var _ = child.ConfigureAwait(false);
        await child.WaitAsync().ConfigureAwait(false);
    }

    /// <summary>Runs a tool to its end and returns what it wrote to its standard output, which must be short.</summary>
    /// <exception cref="SnapshotException">tool_failed.</exception>
    public async Task<string> ReadAsync(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, CancellationToken cancellationToken)
    {
        var stdout = new System.Text.StringBuilder();
        RunningChild child = Start(tool, arguments, limits, PipeTarget.ToStringBuilder(stdout), cancellationToken);
        await using var _ = child.ConfigureAwait(false);
        await child.WaitAsync().ConfigureAwait(false);
        return stdout.ToString();
    }

    /// <summary>Starts a tool that runs beside us; the caller disposes it, which kills it.</summary>
    /// <exception cref="SnapshotException">tool_failed: it could not be started.</exception>
    public RunningChild Start(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, CancellationToken cancellationToken) =>
        Start(tool, arguments, limits, PipeTarget.Null, cancellationToken);

    private RunningChild Start(
        string tool, IReadOnlyList<string> arguments, ChildLimits limits, PipeTarget stdout, CancellationToken cancellationToken)
    {
        var stderr = new StderrTail(StderrTailChars);
        var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Command command = Cli.Wrap("prlimit")
            .WithArguments([.. Limits(limits), "--", tool, .. arguments])
            .WithStandardOutputPipe(stdout)
            .WithValidation(CommandResultValidation.None)
            .WithStandardErrorPipe(PipeTarget.ToDelegate(stderr.Add));
        LogStarting(tool, arguments.Count);
        try
        {
            return new RunningChild(tool, command.ExecuteAsync(stop.Token), stderr, stop);
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
