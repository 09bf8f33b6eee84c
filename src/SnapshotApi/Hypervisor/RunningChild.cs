using CliWrap;
using SnapshotApi.Errors;

namespace SnapshotApi.Hypervisor;

/// <summary>A child process that runs; disposing kills it and waits for its end.</summary>
internal sealed class RunningChild(
    string tool, CommandTask<CommandResult> task, StderrTail stderr, CancellationTokenSource stop) : IAsyncDisposable
{
    // QEMU's tools set no locale: it is always said in English, after what they were writing.
    private const string NoSpaceWords = "No space left on device";

    private bool _disposed;

    /// <summary>It has ended.</summary>
    public bool HasExited => task.Task.IsCompleted;

    /// <summary>Waits for its end.</summary>
    /// <exception cref="SnapshotException">tool_failed: it exited with another code than 0. no_space: because there was none.</exception>
    /// <exception cref="OperationCanceledException">It was killed by the token it was started with.</exception>
    public async Task WaitAsync()
    {
        CommandResult result = await task.ConfigureAwait(false);
        if (result.ExitCode != 0)
        {
            throw Failure($"exit code {result.ExitCode}");
        }
    }

    /// <summary>Waits for its end, however it ends.</summary>
    public Task WaitForEndAsync() => task.Task;

    /// <summary>What to throw when it is gone before its time; standard error goes into the inner exception only.</summary>
    public SnapshotException Failure(string what)
    {
        string said = stderr.ToString();
        var inner = new InvalidOperationException($"{tool}: {what}: {said}");
        return said.Contains(NoSpaceWords, StringComparison.Ordinal)
            ? new SnapshotException(SnapshotErrorCode.NoSpace, $"{tool} found no space left to write to", inner)
            : new SnapshotException(SnapshotErrorCode.ToolFailed, $"{tool} failed: {what}", inner);
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
