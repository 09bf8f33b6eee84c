using System.Collections.Concurrent;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>The runs at work in this process; passes on to them that their user cancels or limits them.</summary>
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

    /// <summary>How many there are.</summary>
    public int Count => _runs.Count;

    /// <summary>How long none has begun or ended.</summary>
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

    /// <summary>A run of the job is at work.</summary>
    public bool Contains(Guid jobId) => _runs.ContainsKey(jobId);

    public void Dispose()
    {
        foreach (IDisposable subscription in _subscriptions)
        {
            subscription.Dispose();
        }
    }

    private void NoteChange() => Volatile.Write(ref _changedAt, _time.GetTimestamp());

    // The renewal of the lease reads the limit. Null is told to every channel: Cancel sees to it.
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
