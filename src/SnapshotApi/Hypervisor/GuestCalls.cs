using System.Collections.Concurrent;

namespace SnapshotApi.Hypervisor;

/// <summary>The native calls in flight on each guest, one of a kind: none can be given up. Thread-safe.</summary>
internal sealed class GuestCalls(TimeProvider time)
{
    private readonly ConcurrentDictionary<(Guid ServerId, GuestCallKind Kind), Line> _lines = new();

    /// <summary>Makes a call when the one before it has ended, and waits for it.</summary>
    /// <param name="name">libvirt's name of it, for messages.</param>
    /// <param name="call">Ends when libvirt has answered.</param>
    /// <param name="limit">How long to wait, for the call before and for this one together.</param>
    /// <param name="cancellationToken">Stops waiting. A call that has begun goes on; any other is not made.</param>
    /// <exception cref="SnapshotException">timed_out: it, or the one before it, did not end in time.</exception>
    public async Task<T> RunAsync<T>(
        Guid serverId, GuestCallKind kind, string name, Func<Task<T>> call, TimeSpan limit,
        CancellationToken cancellationToken)
    {
        Line line = LineOf(serverId, kind);
        using var timeout = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            await line.Gate.WaitAsync(either.Token).ConfigureAwait(false);
            Task<T> running = BeginAsync(line, name, call);
            return await running.WaitAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Stuck(line, name, e);
        }
    }

    /// <summary>Returns when no call of that kind is in flight on the guest.</summary>
    /// <exception cref="OperationCanceledException">One is, and the token ended the wait.</exception>
    public async Task WaitAsync(Guid serverId, GuestCallKind kind, CancellationToken cancellationToken)
    {
        Line line = LineOf(serverId, kind);
        await line.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        line.Gate.Release();
    }

    /// <summary>How long the call of that kind has been in flight; null: none is.</summary>
    public TimeSpan? InFlightFor(Guid serverId, GuestCallKind kind) =>
        LineOf(serverId, kind).Current is { } call ? time.GetElapsedTime(call.StartedAt) : null;

    private Line LineOf(Guid serverId, GuestCallKind kind) => _lines.GetOrAdd((serverId, kind), _ => new Line());

    private async Task<T> BeginAsync<T>(Line line, string name, Func<Task<T>> call)
    {
        line.Current = new Call(name, time.GetTimestamp());
        try
        {
            return await call().ConfigureAwait(false);
        }
        finally
        {
            line.Current = null;
            line.Gate.Release();
        }
    }

    private SnapshotException Stuck(Line line, string name, OperationCanceledException inner)
    {
        string said = line.Current is { } call
            ? $"libvirt has not answered {call.Name} for {time.GetElapsedTime(call.StartedAt).TotalSeconds:0} s"
            : $"libvirt did not answer {name} in time";
        return new SnapshotException(
            SnapshotErrorCode.TimedOut, $"{said}: the guest's QEMU hangs, or another tool's job holds it", inner);
    }

    private sealed class Line
    {
        public SemaphoreSlim Gate { get; } = new(1, 1);

        public Call? Current { get; set; }
    }

    private sealed record Call(string Name, long StartedAt);
}

/// <summary>What a call on a guest does; at most one of each is in flight.</summary>
internal enum GuestCallKind
{
    Change,
    Agent,
    /// <summary>Asks QEMU's monitor, and changes nothing.</summary>
    Look,
    /// <summary>Asks storage pools for the guest's volumes.</summary>
    Volumes,
}
