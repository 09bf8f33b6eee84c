namespace SnapshotApi.Images;

/// <summary>
/// A token bucket over bytes. Thread-safe; several streams may share one, then it limits their sum. The rate may be
/// changed at any time and holds within a quarter of a second.
/// </summary>
/// <param name="timeProvider">Clock.</param>
/// <param name="bytesPerSecond">The rate; null = no limit.</param>
/// <param name="within">Other limits that the same bytes are under.</param>
internal sealed class BandwidthLimit(
    TimeProvider timeProvider, long? bytesPerSecond = null, params BandwidthLimit[] within)
{
    /// <summary>
    /// Longest sleep, within which a changed rate is noticed; also the burst, in time at the full rate.
    /// </summary>
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(250);

    private readonly Lock _gate = new();
    private long _bytesPerSecond = bytesPerSecond ?? 0;
    private double _tokens;
    private long _refilledAt = timeProvider.GetTimestamp();

    /// <value>At least 1; null = no limit.</value>
    public long? BytesPerSecond
    {
        get => Volatile.Read(ref _bytesPerSecond) is > 0 and var limit ? limit : null;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value ?? 1, 1, nameof(value));
            Volatile.Write(ref _bytesPerSecond, value ?? 0);
        }
    }

    /// <summary>It, or a limit that it lies within, has a rate.</summary>
    public bool IsLimited => BytesPerSecond is not null || Array.Exists(within, static outer => outer.IsLimited);

    /// <summary>
    /// Waits until the bytes may be moved. A piece larger than the burst passes at once and is paid off later.
    /// </summary>
    public async ValueTask WaitAsync(long bytes, CancellationToken cancellationToken)
    {
        while (TakeOrDelay(bytes) is { } delay)
        {
            await Task.Delay(delay, timeProvider, cancellationToken).ConfigureAwait(false);
        }

        foreach (BandwidthLimit outer in within)
        {
            await outer.WaitAsync(bytes, cancellationToken).ConfigureAwait(false);
        }
    }

    private TimeSpan? TakeOrDelay(long bytes)
    {
        lock (_gate)
        {
            long now = timeProvider.GetTimestamp();
            TimeSpan elapsed = timeProvider.GetElapsedTime(_refilledAt, now);
            _refilledAt = now;
            if (BytesPerSecond is not { } rate)
            {
                _tokens = 0;
                return null;
            }

            _tokens = Math.Min(_tokens + (elapsed.TotalSeconds * rate), Slice.TotalSeconds * rate);
            if (_tokens >= 0)
            {
                _tokens -= bytes;
                return null;
            }

            TimeSpan debt = TimeSpan.FromSeconds(Math.Min(-_tokens / rate, Slice.TotalSeconds));
            // A timer has whole milliseconds; rounding down to 0 would spin.
            return debt < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : debt;
        }
    }
}
