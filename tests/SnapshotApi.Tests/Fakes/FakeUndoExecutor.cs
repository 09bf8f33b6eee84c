using System.Collections.Concurrent;
using SnapshotApi.Errors;
using SnapshotApi.Journal;

namespace SnapshotApi.Tests.Fakes;

/// <summary>Notes what is undone; can be told to fail.</summary>
internal sealed class FakeUndoExecutor : IUndoExecutor
{
    private volatile bool _fails;

    /// <summary>Nothing can be undone for now.</summary>
    public bool Fails
    {
        get => _fails;
        set => _fails = value;
    }

    /// <summary>What was undone, in order.</summary>
    public ConcurrentQueue<UndoAction> Undone { get; } = new();

    public Task UndoAsync(UndoAction action, CancellationToken cancellationToken)
    {
        if (_fails)
        {
            throw new SnapshotException(SnapshotErrorCode.HypervisorUnavailable, "libvirt does not answer");
        }

        Undone.Enqueue(action);
        return Task.CompletedTask;
    }
}
