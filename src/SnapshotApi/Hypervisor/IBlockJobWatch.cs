using System.Collections.Concurrent;

namespace SnapshotApi.Hypervisor;

/// <summary>Follows the block jobs of one server by libvirt's events.</summary>
internal interface IBlockJobWatch : IDisposable
{
    /// <summary>Last event seen for a disk since the watch began; null for none.</summary>
    BlockJobEvent? LastEvent(string target);

    /// <summary>Completes at the next event of any disk, or after the time given.</summary>
    Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken);
}

/// <summary>What an event said of a block job.</summary>
internal enum BlockJobEvent
{
    /// <summary>The mirror has caught up and can be ended at any instant.</summary>
    Ready,

    /// <summary>It ended by itself.</summary>
    Completed,

    /// <summary>It failed.</summary>
    Failed,

    /// <summary>It was aborted.</summary>
    Canceled,
}

/// <summary><see cref="IBlockJobWatch"/> fed by <see cref="LibvirtEvents"/>.</summary>
internal sealed class BlockJobWatch(Guid serverId, Action<BlockJobWatch> remove) : IBlockJobWatch
{
    private readonly ConcurrentDictionary<string, BlockJobEvent> _last = new();
    private TaskCompletionSource _next = NewSignal();

    public Guid ServerId { get; } = serverId;

    public BlockJobEvent? LastEvent(string target) => _last.TryGetValue(target, out BlockJobEvent last) ? last : null;

    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        TaskCompletionSource next = _next;
        await Task.WhenAny(next.Task, Task.Delay(atMost, cancellationToken)).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        if (next.Task.IsCompleted)
        {
            Interlocked.CompareExchange(ref _next, NewSignal(), next);
        }
    }

    /// <summary>Takes an event.</summary>
    public void OnEvent(string target, BlockJobEvent e)
    {
        _last[target] = e;
        Wake();
    }

    /// <summary>Ends the wait that is under way.</summary>
    public void Wake() => _next.TrySetResult();

    public void Dispose() => remove(this);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
