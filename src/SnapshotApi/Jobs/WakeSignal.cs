namespace SnapshotApi.Jobs;

/// <summary>Wakes one waiting loop. Set while the loop works it ends the next wait; set twice it wakes once.</summary>
internal sealed class WakeSignal(TimeProvider time)
{
    private TaskCompletionSource _set = NewSource();

    /// <summary>Wakes the loop. Never throws, never blocks, and runs nothing of the loop.</summary>
    public void Set() => Volatile.Read(ref _set).TrySetResult();

    /// <summary>Waits until it is set, or for that time; it is unset afterwards.</summary>
    /// <returns>True when it was set.</returns>
    public async Task<bool> WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        Task set = Volatile.Read(ref _set).Task;
        using (var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
        {
            await Task.WhenAny(set, Task.Delay(atMost, time, over.Token)).ConfigureAwait(false);
            await over.CancelAsync().ConfigureAwait(false);
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (!set.IsCompleted)
        {
            return false;
        }

        // Whatever was set before this line is seen by the work that the caller does after it.
        Interlocked.Exchange(ref _set, NewSource());
        return true;
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
