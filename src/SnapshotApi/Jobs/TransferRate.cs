namespace SnapshotApi.Jobs;

/// <summary>Bytes a second over the last seconds. Not thread-safe.</summary>
internal sealed class TransferRate(TimeProvider time)
{
    // Shorter jumps with every burst of the store, longer still shows speed when nothing moves any more.
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    // A sample for every chunk would keep thousands; ten a second are as good.
    private static readonly TimeSpan SampleInterval = TimeSpan.FromMilliseconds(100);

    private readonly List<(long Timestamp, long Bytes)> _samples = [];
    private long _bytes;

    /// <summary>Notes the bytes done so far. When they fall a new phase has begun, and the rate begins anew.</summary>
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

        // The newest sample that is older than the window stays: it is where the window begins.
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
