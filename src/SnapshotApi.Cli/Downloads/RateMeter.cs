namespace SnapshotApi.Cli.Downloads;

/// <summary>Bytes a second over the last seconds.</summary>
internal sealed class RateMeter(TimeProvider time)
{
    /// <summary>Long enough to be calm, short enough to show a stall.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    private readonly Queue<(long At, long Position)> _samples = new();

    /// <summary>Takes a position and answers the rate; null while there is too little to tell.</summary>
    public long? Add(long position)
    {
        long now = time.GetTimestamp();
        _samples.Enqueue((now, position));
        while (_samples.Count > 2 && time.GetElapsedTime(_samples.Peek().At, now) > Window)
        {
            _samples.Dequeue();
        }

        (long at, long first) = _samples.Peek();
        double seconds = time.GetElapsedTime(at, now).TotalSeconds;
        return seconds < 0.2 ? null : (long)((position - first) / seconds);
    }
}
