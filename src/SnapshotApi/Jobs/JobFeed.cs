using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Jobs as those who poll see them. A job that has changed is read once, for all who wait for it and together with
/// others that have; one that has not is answered from memory. Thread-safe.
/// </summary>
/// <remarks>
/// A job is in memory while somebody asks for it, and fresh while notifications arrive and none has come for it since
/// it was read. What another process has changed a moment ago may be missing for the milliseconds that a notification
/// takes.
/// </remarks>
internal sealed partial class JobFeed : BackgroundService
{
    /// <summary>Jobs that one statement reads.</summary>
    public const int BatchSize = 500;

    // One that hangs, on a connection whose server is gone, does not keep the others.
    private const int ConcurrentReadings = 4;

    // While notifications arrive, this is what a lost one costs.
    private static readonly TimeSpan SafetyInterval = TimeSpan.FromSeconds(20);

    // While they do not. All who wait share the reading.
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan PatienceForReading = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan ForgetInterval = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, Entry> _entries = [];
    private readonly HashSet<Guid> _wanted = [];
    private readonly WakeSignal _wake;
    private readonly JobTable _jobs;
    private readonly DatabaseListener _listener;
    private readonly TimeProvider _time;
    private readonly ILogger<JobFeed> _logger;

    public JobFeed(JobTable jobs, DatabaseListener listener, TimeProvider time, ILogger<JobFeed> logger)
    {
        (_jobs, _listener, _time, _logger) = (jobs, listener, time, logger);
        _wake = new WakeSignal(time);
    }

    /// <summary>A job as it is now; null: there is none.</summary>
    /// <exception cref="SnapshotException">database_unavailable.</exception>
    public async Task<JobRecord?> FindAsync(Guid jobId, CancellationToken cancellationToken)
    {
        using Use use = Begin(jobId);
        return await FindAsync(use.Entry, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits until the job has another version than the given, or is final, or the time is over.</summary>
    /// <returns>The job as it is then; null when there is none of that id.</returns>
    /// <exception cref="SnapshotException">database_unavailable.</exception>
    public async Task<JobRecord?> WaitForChangeAsync(
        Guid jobId, long version, TimeSpan atMost, CancellationToken cancellationToken)
    {
        long start = _time.GetTimestamp();
        using Use use = Begin(jobId);
        while (true)
        {
            // Taken before the job is looked at: a change between the two ends the wait below at once.
            Task changed = use.Entry.Changed.Task;
            JobRecord? job = await FindAsync(use.Entry, cancellationToken).ConfigureAwait(false);
            TimeSpan left = atMost - _time.GetElapsedTime(start);
            if (job is null || job.IsFinal || job.Version != version || left <= TimeSpan.Zero)
            {
                return job;
            }

            TimeSpan interval = _listener.IsListening ? SafetyInterval : PollInterval;
            try
            {
                await changed.WaitAsync(interval < left ? interval : left, _time, cancellationToken)
                    .ConfigureAwait(false);
            }
            catch (TimeoutException) when (interval < left)
            {
                // No notification came: read again to be sure.
                Invalidate(use.Entry);
            }
            catch (TimeoutException)
            {
                // The time is over.
            }
        }
    }

    /// <summary>A request of this process has changed the job: whoever asks next sees that.</summary>
    public void Invalidate(Guid jobId)
    {
        lock (_lock)
        {
            if (_entries.TryGetValue(jobId, out Entry? entry))
            {
                entry.Invalidate();
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using IDisposable subscription = _listener.Subscribe(Channels.Job, OnChanged);
        var readings = new List<Task>();
        long forgotAt = _time.GetTimestamp();
        while (true)
        {
            await _wake.WaitAsync(ForgetInterval, stoppingToken).ConfigureAwait(false);

            // What is wanted while a reading is at work is read together afterwards, unless it takes long.
            await Task.WhenAny(Task.WhenAll(readings), Task.Delay(PatienceForReading, _time, stoppingToken))
                .ConfigureAwait(false);
            readings.RemoveAll(r => r.IsCompleted);
            while (TakeWanted() is { Count: > 0 } batch)
            {
                if (readings.Count == ConcurrentReadings)
                {
                    await Task.WhenAny(readings).ConfigureAwait(false);
                    readings.RemoveAll(r => r.IsCompleted);
                }

                readings.Add(ReadAsync(batch, stoppingToken));
            }

            if (_time.GetElapsedTime(forgotAt) >= ForgetInterval)
            {
                forgotAt = _time.GetTimestamp();
                Forget();
            }
        }
    }

    private async Task<JobRecord?> FindAsync(Entry entry, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task<JobRecord?> reading;
            bool isTooOld;
            lock (_lock)
            {
                if (entry.IsFresh && _listener.IsListening && _time.GetElapsedTime(entry.ReadAt) < SafetyInterval)
                {
                    return entry.Job;
                }

                if (entry.Reading is null)
                {
                    entry.Reading =
                        new TaskCompletionSource<JobRecord?>(TaskCreationOptions.RunContinuationsAsynchronously);
                    _wanted.Add(entry.Id);
                }

                reading = entry.Reading.Task;
                isTooOld = entry.IsReadingTooOld;
            }

            _wake.Set();
            JobRecord? job = await reading.WaitAsync(cancellationToken).ConfigureAwait(false);
            if (!isTooOld)
            {
                return job;
            }
        }
    }

    private Use Begin(Guid jobId)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(jobId, out Entry? entry))
            {
                _entries[jobId] = entry = new Entry(jobId);
            }

            entry.Users++;
            return new Use(this, entry);
        }
    }

    private void Invalidate(Entry entry)
    {
        lock (_lock)
        {
            entry.Invalidate();
        }
    }

    // Null: notifications may have been missed.
    private void OnChanged(string? payload)
    {
        lock (_lock)
        {
            if (payload is null)
            {
                foreach (Entry entry in _entries.Values)
                {
                    entry.Invalidate();
                }
            }
            else if (Guid.TryParse(payload, out Guid id) && _entries.TryGetValue(id, out Entry? entry))
            {
                entry.Invalidate();
            }
        }
    }

    private List<Entry> TakeWanted()
    {
        lock (_lock)
        {
            List<Entry> batch = [.. _wanted.Take(BatchSize).Select(id => _entries[id])];
            batch.ForEach(entry => entry.BeginReading());
            _wanted.ExceptWith(batch.Select(e => e.Id));
            return batch;
        }
    }

    private async Task ReadAsync(List<Entry> batch, CancellationToken cancellationToken)
    {
        long start = _time.GetTimestamp();
        try
        {
            IReadOnlyList<JobRecord> found =
                await _jobs.FindAsync(batch.Select(e => e.Id), cancellationToken).ConfigureAwait(false);
            var jobs = found.ToDictionary(j => j.Id);
            lock (_lock)
            {
                batch.ForEach(entry => entry.EndReading(jobs.GetValueOrDefault(entry.Id), start));
            }
        }
        catch (Exception e) when (
            batch.Count > 1 && e is not (SnapshotException or OperationCanceledException))
        {
            // One that can't be read must not keep the others.
            foreach (Entry entry in batch)
            {
                await ReadAsync([entry], cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            // Whoever waits learns of it, as if it had asked by itself; the next who asks tries again.
            if (e is not (SnapshotException or OperationCanceledException))
            {
                LogFailed(e);
            }

            lock (_lock)
            {
                batch.ForEach(entry => entry.FailReading(e));
            }
        }
    }

    // Jobs that nobody has asked for since the last time.
    private void Forget()
    {
        lock (_lock)
        {
            foreach (Entry entry in _entries.Values.Where(e => e.Users == 0 && e.Reading is null).ToList())
            {
                if (entry.IsIdle)
                {
                    _entries.Remove(entry.Id);
                }

                entry.IsIdle = true;
            }
        }
    }

    private void End(Entry entry)
    {
        lock (_lock)
        {
            entry.Users--;
            entry.IsIdle = false;
            if (entry is { Users: 0, Job: null, Reading: null })
            {
                // There is no such job: whoever asks for ids that are none must not fill the memory.
                _entries.Remove(entry.Id);
            }
        }
    }

    [LoggerMessage(6310, LogLevel.Error, "Jobs could not be read")]
    private partial void LogFailed(Exception exception);

    /// <summary>One job in memory. Whoever touches it holds the lock.</summary>
    private sealed class Entry(Guid id)
    {
        private bool _isRead;
        private bool _isChangedWhileRead;

        public Guid Id { get; } = id;

        /// <summary>As it was read last; null: not yet, or there is none.</summary>
        public JobRecord? Job { get; private set; }

        /// <summary>No notification has come since it was read.</summary>
        public bool IsFresh { get; private set; }

        /// <summary>When the reading of <see cref="Job"/> began.</summary>
        public long ReadAt { get; private set; }

        /// <summary>The job has changed since the reading began that is at work.</summary>
        public bool IsReadingTooOld => _isRead && _isChangedWhileRead;

        /// <summary>Ends when the job may have changed.</summary>
        public TaskCompletionSource Changed { get; private set; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Somebody waits for its being read; null: nobody.</summary>
        public TaskCompletionSource<JobRecord?>? Reading { get; set; }

        public int Users { get; set; }

        public bool IsIdle { get; set; }

        public void Invalidate()
        {
            IsFresh = false;
            _isChangedWhileRead = true;
            TaskCompletionSource changed = Changed;
            Changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            changed.SetResult();
        }

        public void BeginReading() => (_isRead, _isChangedWhileRead) = (true, false);

        public void EndReading(JobRecord? job, long start)
        {
            (Job, ReadAt, _isRead) = (job, start, false);
            IsFresh = !_isChangedWhileRead;
            TaskCompletionSource<JobRecord?>? reading = Reading;
            Reading = null;
            reading?.SetResult(job);
        }

        public void FailReading(Exception e)
        {
            _isRead = false;
            TaskCompletionSource<JobRecord?>? reading = Reading;
            Reading = null;
            reading?.SetException(e);
        }
    }

    /// <summary>Somebody asks for a job.</summary>
    private readonly record struct Use(JobFeed Feed, Entry Entry) : IDisposable
    {
        public void Dispose() => Feed.End(Entry);
    }
}
