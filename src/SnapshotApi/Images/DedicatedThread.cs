namespace SnapshotApi.Images;

/// <summary>Runs blocking NBD calls on a thread of their own, so that a stalled server never takes a thread of the pool.</summary>
internal static class DedicatedThread
{
    /// <summary>The calls need little stack; the default of 8 MiB would be paid for address space only, but by every connection.</summary>
    private const int StackBytes = 512 * 1024;

    /// <summary>The task ends when the body has; its exception is the body's.</summary>
    public static Task RunAsync(string name, Action body)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() => Run(body, done), StackBytes) { IsBackground = true, Name = name };
        thread.Start();
        return done.Task;
    }

    private static void Run(Action body, TaskCompletionSource done)
    {
        try
        {
            body();
            done.SetResult();
        }
        catch (OperationCanceledException e)
        {
            done.SetCanceled(e.CancellationToken);
        }
        catch (Exception e)
        {
            // An exception that leaves a thread ends the process: whoever awaits the task gets it.
            done.SetException(e);
        }
    }
}
