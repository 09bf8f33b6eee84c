using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>Long polling: a reader waits for a job to change, by notification or else by polling.</summary>
internal sealed class JobWaiter : IDisposable
{
    // While notifications arrive, this is what a lost one costs.
    private static readonly TimeSpan SafetyInterval = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, HashSet<TaskCompletionSource>> _waiting = [];
    private readonly JobTable _jobs;
    private readonly DatabaseListener _listener;
    private readonly TimeProvider _time;
    private readonly IDisposable _subscription;

    public JobWaiter(JobTable jobs, DatabaseListener listener, TimeProvider time)
    {
        (_jobs, _listener, _time) = (jobs, listener, time);
        _subscription = listener.Subscribe(Channels.Job, Wake);
    }

    /// <summary>Waits until the job has another version than the given, or is final, or the time is over.</summary>
    /// <returns>The job as it is then; null when there is none of that id.</returns>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">database_unavailable.</exception>
    public async Task<JobRecord?> WaitForChangeAsync(
        Guid jobId, long version, TimeSpan atMost, CancellationToken cancellationToken)
    {
        long start = _time.GetTimestamp();
        while (true)
        {
            // Subscribe, then read: a change between the two wakes the wait below at once.
            var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Add(jobId, changed);
            try
            {
                JobRecord? job = await _jobs.FindAsync(jobId, cancellationToken).ConfigureAwait(false);
                TimeSpan left = atMost - _time.GetElapsedTime(start);
                if (job is null || job.IsFinal || job.Version != version || left <= TimeSpan.Zero)
                {
                    return job;
                }

                TimeSpan interval = _listener.IsListening ? SafetyInterval : PollInterval;
                await changed.Task.WaitAsync(interval < left ? interval : left, _time, cancellationToken)
                    .ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                // No notification came: read again to be sure.
            }
            finally
            {
                Remove(jobId, changed);
            }
        }
    }

    public void Dispose() => _subscription.Dispose();

    private void Add(Guid jobId, TaskCompletionSource changed)
    {
        lock (_lock)
        {
            if (!_waiting.TryAdd(jobId, [changed]))
            {
                _waiting[jobId].Add(changed);
            }
        }
    }

    private void Remove(Guid jobId, TaskCompletionSource changed)
    {
        lock (_lock)
        {
            HashSet<TaskCompletionSource> waiting = _waiting[jobId];
            waiting.Remove(changed);
            if (waiting.Count == 0)
            {
                _waiting.Remove(jobId);
            }
        }
    }

    private void Wake(string? payload)
    {
        lock (_lock)
        {
            IEnumerable<TaskCompletionSource> woken = payload is null
                ? _waiting.Values.SelectMany(w => w)
                : Guid.TryParse(payload, out Guid id) ? _waiting.GetValueOrDefault(id) ?? [] : [];
            foreach (TaskCompletionSource changed in woken)
            {
                changed.TrySetResult();
            }
        }
    }
}
