using System.Collections.Concurrent;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>Follows the block jobs of one server by libvirt's events.</summary>
internal interface IBlockJobWatch : IDisposable
{
    /// <summary>What the last event since the watch began said of a disk's job; null: no event.</summary>
    BlockJobStatus? LastEvent(string target);

    /// <summary>Completes at the next event of any disk, or after the time given.</summary>
    Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken);
}

/// <summary><see cref="IBlockJobWatch"/> fed by <see cref="LibvirtEvents"/>.</summary>
internal sealed class BlockJobWatch(Guid serverId, Action<BlockJobWatch> remove) : IBlockJobWatch
{
    private readonly ConcurrentDictionary<string, BlockJobStatus> _last = new();
    private TaskCompletionSource _next = NewSignal();

    public Guid ServerId { get; } = serverId;

    public BlockJobStatus? LastEvent(string target) => _last.TryGetValue(target, out BlockJobStatus last) ? last : null;

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

    public void OnEvent(string target, BlockJobStatus status)
    {
        _last[target] = status;
        Wake();
    }

    /// <summary>Ends the present wait.</summary>
    public void Wake() => _next.TrySetResult();

    public void Dispose() => remove(this);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
