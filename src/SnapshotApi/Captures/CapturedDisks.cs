using SnapshotApi.Errors;

namespace SnapshotApi.Captures;

/// <summary>
/// Stable views of the disks of one server, all of one instant. The caller closes its readers, disposes this, and then lets the
/// journal undo: in that order, for QEMU has crashed when its NBD server was stopped under a connected client (CVE-2024-7409).
/// </summary>
internal sealed class CapturedDisks : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _owned = [];
    private readonly CancellationTokenSource _lost = new();
    private SnapshotException? _lostReason;

    /// <summary>One view for each disk of the request, in its order.</summary>
    public required IReadOnlyList<DiskView> Views { get; init; }

    /// <summary>What is known of their consistency.</summary>
    public required Consistency Consistency { get; init; }

    /// <summary>How long the guest did not execute; may still grow while the views are open.</summary>
    public required Func<GuestDowntime> Downtime { get; init; }

    /// <summary>How long its file systems were frozen.</summary>
    public required TimeSpan Freeze { get; init; }

    /// <summary>How many file systems the guest agent froze for us.</summary>
    public int FrozenFileSystems { get; init; }

    /// <summary>Cancelled when the views are no longer good; <see cref="LostReason"/> says why.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Why the views are no longer good; null while they are.</summary>
    public SnapshotException? LostReason => _lostReason;

    /// <summary>Makes something live as long as the views; disposed in reverse order.</summary>
    public void Own(IAsyncDisposable resource) => _owned.Add(resource);

    /// <summary>Says that the views are no longer good. The first reason stands.</summary>
    public void Lose(SnapshotException reason)
    {
        if (Interlocked.CompareExchange(ref _lostReason, reason, null) is null)
        {
            _lost.Cancel();
        }
    }

    public async ValueTask DisposeAsync()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            await _owned[i].DisposeAsync().ConfigureAwait(false);
        }

        _owned.Clear();
        _lost.Dispose();
    }
}
