namespace SnapshotApi.Captures;

/// <summary>Measures one interval on a <see cref="TimeProvider"/>.</summary>
internal sealed class Interval(TimeProvider time)
{
    private long _startedAt;
    private TimeSpan? _stoppedAfter;
    private bool _isStarted;

    /// <summary>Length so far; zero before the start.</summary>
    public TimeSpan Elapsed => !_isStarted ? TimeSpan.Zero : _stoppedAfter ?? time.GetElapsedTime(_startedAt);

    /// <summary>Begins the interval.</summary>
    public void Start() => (_startedAt, _isStarted) = (time.GetTimestamp(), true);

    /// <summary>Ends the interval.</summary>
    public void Stop() => _stoppedAfter = Elapsed;
}
