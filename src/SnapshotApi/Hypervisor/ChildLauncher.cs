using System.Collections.Concurrent;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// One thread that starts child processes and lives as long as the service. A parent-death signal is sent when the thread that forked
/// ends, not when the process does (prctl(2), PR_SET_PDEATHSIG): a child that a thread of the pool has started would be killed when
/// that thread is no longer needed.
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
