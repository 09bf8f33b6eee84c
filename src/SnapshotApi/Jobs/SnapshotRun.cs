using SnapshotApi.Images;

namespace SnapshotApi.Jobs;

/// <summary>A run at work in this process. The first reason to stop it is the one that counts.</summary>
internal sealed class SnapshotRun(Guid jobId, Action ended) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private StopReason _reason;
    private bool _hasEnded;

    /// <summary>Id of the job.</summary>
    public Guid JobId { get; } = jobId;

    /// <summary>Fencing token; 0 before the job was claimed.</summary>
    public long Fence { get; set; }

    /// <summary>The job's limit, which follows what its user asks for; null before the run began.</summary>
    public BandwidthLimit? Bandwidth { get; set; }

    /// <summary>Why it is to stop; <see cref="StopReason.None"/> while it is not.</summary>
    public StopReason Reason
    {
        get
        {
            lock (_lock)
            {
                return _reason;
            }
        }
    }

    /// <summary>Cancelled when it is to stop.</summary>
    public CancellationToken Token => _stop.Token;

    /// <summary>Raised when its lease should be renewed at once, because a wish of its user may have been missed.</summary>
    public event Action? RenewNow;

    /// <summary>Stops it; nothing happens when it is stopping already, or has ended.</summary>
    public void Stop(StopReason reason)
    {
        lock (_lock)
        {
            if (_reason == StopReason.None && !_hasEnded)
            {
                _reason = reason;

                // On a thread of its own: what waits for the token must not run on the caller's, which may be a listener's loop.
                _ = _stop.CancelAsync();
            }
        }
    }

    /// <summary>Asks for a renewal of its lease.</summary>
    public void AskForRenewal() => RenewNow?.Invoke();

    public void Dispose()
    {
        ended();
        lock (_lock)
        {
            _hasEnded = true;
            _stop.Dispose();
        }
    }
}
