namespace SnapshotApi.Tests.Fakes;

/// <summary>
/// A clock on which short delays (up to a second: retries, spacing) are over at once and count as passed; long ones
/// (time-outs) run as usual.
/// </summary>
internal sealed class HastyTimeProvider : TimeProvider
{
    private long _skippedTicks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => base.GetUtcNow().Ticks + Interlocked.Read(ref _skippedTicks);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime > TimeSpan.Zero && dueTime <= TimeSpan.FromSeconds(1))
        {
            Interlocked.Add(ref _skippedTicks, dueTime.Ticks);
            dueTime = TimeSpan.FromMilliseconds(1);
        }

        return base.CreateTimer(callback, state, dueTime, period);
    }
}
