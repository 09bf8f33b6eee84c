using System.Collections.Concurrent;
using SnapshotApi.Images;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>A run at work in this process. The first reason to stop it is the one that counts.</summary>
internal sealed class SnapshotRun(Guid jobId, Action ended) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private volatile StopReason _reason;
    private bool _hasEnded;

    public Guid JobId { get; } = jobId;

    /// <summary>Fencing token; 0 before the job was claimed.</summary>
    public long Fence { get; set; }

    /// <summary>The job's current limit; null before the run began.</summary>
    public BandwidthLimit? Bandwidth { get; set; }

    /// <summary>Why it is to stop; <see cref="StopReason.None"/> while it is not.</summary>
    public StopReason Reason => _reason;

    public CancellationToken Token => _stop.Token;

    /// <summary>Its lease should be renewed at once: its user may have cancelled or limited it.</summary>
    public event Action? RenewNow;

    /// <summary>Stops it; nothing happens when it is stopping already, or has ended.</summary>
    public void Stop(StopReason reason)
    {
        lock (_lock)
        {
            if (_reason == StopReason.None && !_hasEnded)
            {
                _reason = reason;

                // On another thread: the caller, which may be a listener's loop, must not run what waits for the token.
                _ = _stop.CancelAsync();
            }
        }
    }

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

/// <summary>Why a run is to stop before its end.</summary>
internal enum StopReason
{
    None,
    User,
    Deadline,

    /// <summary>The service stops: the job is to be run again.</summary>
    Shutdown,

    /// <summary>Another run has the job: this one must write nothing.</summary>
    LeaseLost,
}

/// <summary>The runs at work in this process; they learn here that their user cancels or limits them.</summary>
internal sealed class LiveRuns : IDisposable
{
    private readonly ConcurrentDictionary<Guid, SnapshotRun> _runs = new();
    private readonly IDisposable[] _subscriptions;
    private readonly TimeProvider _time;
    private long _changedAt;

    public LiveRuns(DatabaseListener listener, TimeProvider time)
    {
        _time = time;
        _changedAt = time.GetTimestamp();
        _subscriptions = [listener.Subscribe(Channels.Cancel, Cancel), listener.Subscribe(Channels.Limit, Limit)];
    }

    public int Count => _runs.Count;

    /// <summary>How long ago one began or ended last.</summary>
    public TimeSpan UnchangedFor => _time.GetElapsedTime(Volatile.Read(ref _changedAt));

    /// <summary>Begins a run of a job; null when one is at work. It ends when it is disposed.</summary>
    public SnapshotRun? TryBegin(Guid jobId)
    {
        var run = new SnapshotRun(jobId, () =>
        {
            _runs.TryRemove(jobId, out _);
            NoteChange();
        });
        if (!_runs.TryAdd(jobId, run))
        {
            return null;
        }

        NoteChange();
        return run;
    }

    public bool Contains(Guid jobId) => _runs.ContainsKey(jobId);

    public void Dispose() => Array.ForEach(_subscriptions, s => s.Dispose());

    private void NoteChange() => Volatile.Write(ref _changedAt, _time.GetTimestamp());

    // The renewal of the lease reads the limit. Cancel handles null, which every channel gets.
    private void Limit(string? payload)
    {
        if (Guid.TryParse(payload, out Guid jobId) && _runs.TryGetValue(jobId, out SnapshotRun? run))
        {
            run.AskForRenewal();
        }
    }

    private void Cancel(string? payload)
    {
        if (payload is null)
        {
            foreach (SnapshotRun run in _runs.Values)
            {
                run.AskForRenewal();
            }
        }
        else if (Guid.TryParse(payload, out Guid jobId) && _runs.TryGetValue(jobId, out SnapshotRun? run))
        {
            run.Stop(StopReason.User);
        }
    }
}
