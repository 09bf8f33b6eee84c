using SnapshotApi.Captures;
using SnapshotApi.Journal;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Jobs;

/// <summary>The progress of a run, kept until <see cref="ProgressWriter"/> has written it. Thread-safe.</summary>
internal sealed partial class JobReporter(
    JobRecord job, TimeProvider time, ILogger<JobReporter> logger, IFaultPoint faults) : ISnapshotObserver
{
    private readonly Lock _lock = new();
    private readonly TransferRate _rate = new(time);
    private readonly List<JobDisk> _disks = [];
    private readonly List<string> _warnings = [.. job.Warnings];
    private readonly List<ImageRecord> _images = [];
    private readonly List<RunEvent> _events = [];
    private readonly HashSet<int> _unwritten = [];
    private SnapshotStep _step = SnapshotStep.Pending;
    private SnapshotStep _workStep = SnapshotStep.Pending;
    private int? _stepEvent;
    private int? _endEvent;
    private long _stepStart;
    private SnapshotPlan? _plan;
    private Consistency? _consistency;
    private GuestDowntime? _downtime;
    private TimeSpan? _freeze;
    private int? _frozenFileSystems;
    private long? _writtenRate;
    private bool _isDirty;

    /// <summary>A step began, which is to be written at once. Handlers return at once.</summary>
    public event Action? StepBegan;

    /// <summary>The current step; during the clean-up the one before it.</summary>
    public SnapshotStep Step => Locked(() => _workStep);

    /// <summary>Images that were published.</summary>
    public IReadOnlyList<ImageRecord> Images => Locked(() => _images.ToArray());

    public void PlanMade(SnapshotPlan plan)
    {
        lock (_lock)
        {
            _plan = plan;
            _disks.Clear();
            _disks.AddRange(plan.Disks.Select(d => new JobDisk(d.Target, null, null, 0, null)));
            AddEvent("plan", $"{plan.Capture.ToSnakeCase()}: {plan.CaptureReason}");
            foreach (string note in plan.Notes)
            {
                AddWarning(note);
            }
        }
    }

    public void StepStarted(SnapshotStep step, string? detail = null)
    {
        lock (_lock)
        {
            EndStep();
            _step = step;
            _workStep = step == SnapshotStep.CleaningUp ? _workStep : step;
            _stepStart = time.GetTimestamp();
            _stepEvent = AddEvent("step", detail);
        }

        StepBegan?.Invoke();
        faults.Reach(FaultInstant.Step, step.ToSnakeCase());
    }

    public void Warn(string message)
    {
        lock (_lock)
        {
            AddWarning(message);
        }
    }

    public void DisksAdvanced(IReadOnlyList<DiskProgress> disks)
    {
        lock (_lock)
        {
            foreach (DiskProgress disk in disks)
            {
                ChangeDisk(disk.Target, d => d with
                {
                    SizeBytes = disk.SizeBytes,
                    AllocatedBytes = disk.AllocatedBytes,
                    BytesDone = disk.BytesDone,
                    BytesTotal = disk.BytesTotal,
                    Share = disk.Share,
                    Span = disk.Span,
                });
            }

            _rate.Note(_disks.Sum(d => d.BytesDone));
        }
    }

    public void ImagePublished(string target, StoredImage image, ImageDescription description)
    {
        lock (_lock)
        {
            ChangeDisk(target, d => d with { Image = image });
            (string name, long sizeBytes) = (description.Name, description.VirtualSizeBytes);
            _images.Add(new ImageRecord(
                image, name, job.Id, job.ServerId, job.ServerName, job.Node, target, sizeBytes, description.Properties,
                time.GetUtcNow()));
            AddEvent("image", $"{target}: image {image.Id} of {image.SizeBytes} bytes in store {image.Store}");
        }
    }

    public void GuestAffected(Consistency consistency, GuestDowntime downtime, TimeSpan freeze, int frozenFileSystems)
    {
        lock (_lock)
        {
            (_consistency, _downtime, _isDirty) = (consistency, downtime, true);
            _freeze = freeze > TimeSpan.Zero ? freeze : null;
            _frozenFileSystems = frozenFileSystems > 0 ? frozenFileSystems : null;
        }
    }

    /// <summary>What is to be written; null when nothing changed since <see cref="Wrote"/>.</summary>
    public JobProgress? TakeChanges()
    {
        lock (_lock)
        {
            if (!_isDirty && _unwritten.Count == 0 && _rate.BytesPerSecond() == _writtenRate)
            {
                return null;
            }

            _isDirty = false;
            return Compose();
        }
    }

    /// <summary>Notes that a progress was written.</summary>
    public void Wrote(JobProgress progress)
    {
        lock (_lock)
        {
            _writtenRate = progress.BytesPerSecond;
            foreach (RunEvent written in progress.Events.Where(e => _events[e.Ordinal - 1] == e))
            {
                _unwritten.Remove(written.Ordinal);
            }
        }
    }

    /// <summary>Notes that a progress could not be written: it is to be taken again.</summary>
    public void Missed() => Locked(() => _isDirty = true);

    /// <summary>
    /// Ends the run: returns its last state, with its last event and all that was not written yet. A second call
    /// replaces that event.
    /// </summary>
    /// <param name="kind"><c>finished</c> or <c>requeued</c>.</param>
    /// <param name="message">How it ended.</param>
    public JobProgress End(string kind, string message)
    {
        lock (_lock)
        {
            EndStep();
            _step = SnapshotStep.Finished;
            _endEvent ??= AddEvent(kind, message);
            _events[_endEvent.Value - 1] = _events[_endEvent.Value - 1] with { Kind = kind, Message = message };
            return Compose();
        }
    }

    private T Locked<T>(Func<T> read)
    {
        lock (_lock)
        {
            return read();
        }
    }

    private void ChangeDisk(string target, Func<JobDisk, JobDisk> change)
    {
        int index = _disks.FindIndex(d => d.Target == target);
        if (index < 0)
        {
            index = _disks.Count;
            _disks.Add(new JobDisk(target, null, null, 0, null));
        }

        _disks[index] = change(_disks[index]);
        _isDirty = true;
    }

    private void AddWarning(string message)
    {
        if (!_warnings.Contains(message))
        {
            _warnings.Add(message);
            AddEvent("warning", message);
        }
    }

    private int AddEvent(string kind, string? message)
    {
        // Ordinal 0 is the claim's event, which the claim wrote.
        int ordinal = _events.Count + 1;
        _events.Add(new RunEvent(ordinal, time.GetUtcNow(), kind, _step, message, null));
        _unwritten.Add(ordinal);
        _isDirty = true;
        return ordinal;
    }

    private void EndStep()
    {
        if (_stepEvent is not { } ordinal)
        {
            return;
        }

        var durationMs = (long)time.GetElapsedTime(_stepStart).TotalMilliseconds;
        _events[ordinal - 1] = _events[ordinal - 1] with { DurationMs = durationMs };
        _unwritten.Add(ordinal);
        _stepEvent = null;
        _isDirty = true;
        LogStep(_step, durationMs, _disks.Sum(d => d.BytesDone));
    }

    private JobProgress Compose() => new(
        _step,
        _plan?.Capture,
        _plan?.CaptureReason,
        [.. _disks],
        _rate.BytesPerSecond(),
        _consistency,
        (long?)_downtime?.Total.TotalMilliseconds,
        _downtime?.Parts is { } parts ? JobDowntime.Of(parts) : null,
        (long?)_freeze?.TotalMilliseconds,
        [.. _warnings],
        [.. _events.Where(e => _unwritten.Contains(e.Ordinal))])
    {
        FrozenFileSystems = _frozenFileSystems,
    };

    [LoggerMessage(6000, LogLevel.Information, "Step {Step} took {DurationMs} ms; {BytesDone} bytes done")]
    private partial void LogStep(SnapshotStep step, long durationMs, long bytesDone);
}

/// <summary>Bytes a second over the last seconds. Not thread-safe.</summary>
internal sealed class TransferRate(TimeProvider time)
{
    // A shorter window jumps with every burst of the store; a longer one shows speed when nothing moves any more.
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    // A sample for every chunk would keep thousands.
    private static readonly TimeSpan SampleInterval = TimeSpan.FromMilliseconds(100);

    private readonly List<(long Timestamp, long Bytes)> _samples = [];
    private long _bytes;

    /// <summary>Notes the bytes done so far. When they fall a new phase has begun, and the rate starts again.</summary>
    public void Note(long bytes)
    {
        if (bytes < _bytes)
        {
            _samples.Clear();
        }

        _bytes = bytes;
        long now = time.GetTimestamp();
        if (_samples.Count == 0 || time.GetElapsedTime(_samples[^1].Timestamp, now) >= SampleInterval)
        {
            _samples.Add((now, bytes));
        }

        // The newest sample that is older than the window stays: the window begins there.
        int older = _samples.FindLastIndex(s => time.GetElapsedTime(s.Timestamp, now) >= Window);
        if (older > 0)
        {
            _samples.RemoveRange(0, older);
        }
    }

    /// <summary>The rate now; null when nothing moved.</summary>
    public long? BytesPerSecond()
    {
        long now = time.GetTimestamp();
        int first = Math.Max(0, _samples.FindLastIndex(s => time.GetElapsedTime(s.Timestamp, now) >= Window));
        if (_samples.Count == 0)
        {
            return null;
        }

        TimeSpan elapsed = time.GetElapsedTime(_samples[first].Timestamp, now);
        long moved = _bytes - _samples[first].Bytes;
        return moved > 0 && elapsed > TimeSpan.Zero ? (long)(moved / elapsed.TotalSeconds) : null;
    }
}
