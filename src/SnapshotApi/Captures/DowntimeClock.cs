namespace SnapshotApi.Captures;

/// <summary>Measures the downtime of a cold capture, part by part.</summary>
internal sealed class DowntimeClock(TimeProvider time)
{
    private readonly Interval _save = new(time);
    private readonly Interval _copy = new(time);
    private readonly Interval _restore = new(time);

    /// <summary>What was measured so far; it grows until <see cref="Restored"/>.</summary>
    public GuestDowntime Elapsed
    {
        get
        {
            var parts = new DowntimeParts(_save.Elapsed, _copy.Elapsed, _restore.Elapsed);
            return _save.IsStarted ? new GuestDowntime(
                parts.Save + parts.Copy + parts.Restore, parts) : GuestDowntime.None;
        }
    }

    /// <summary>The save begins.</summary>
    public void Start() => _save.Start();

    /// <summary>It is saved.</summary>
    public void Saved() => PassOn(_save, _copy);

    /// <summary>Its disks are copied.</summary>
    public void Copied() => PassOn(_copy, _restore);

    /// <summary>It executes.</summary>
    public void Restored()
    {
        if (_save.IsStarted)
        {
            _restore.Stop();
        }
    }

    private void PassOn(Interval ending, Interval beginning)
    {
        if (_save.IsStarted)
        {
            ending.Stop();
            beginning.Start();
        }
    }
}

/// <summary>Measures one interval on a <see cref="TimeProvider"/>.</summary>
internal sealed class Interval(TimeProvider time)
{
    private long? _startedAt;
    private TimeSpan? _stoppedAfter;

    public bool IsStarted => _startedAt is not null;

    /// <summary>Length so far; zero before the start.</summary>
    public TimeSpan Elapsed => _startedAt is { } start ? _stoppedAfter ?? time.GetElapsedTime(start) : TimeSpan.Zero;

    public void Start() => _startedAt = time.GetTimestamp();

    public void Stop() => _stoppedAfter = Elapsed;
}
