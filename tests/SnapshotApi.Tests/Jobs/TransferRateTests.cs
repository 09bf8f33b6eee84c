using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Jobs;

namespace SnapshotApi.Tests.Jobs;

public sealed class TransferRateTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly TransferRate _rate;

    public TransferRateTests()
    {
        _rate = new TransferRate(_time);
    }

    [Fact]
    public void Nothing_noted_has_no_rate()
    {
        Assert.Null(_rate.BytesPerSecond());
    }

    [Fact]
    public void A_steady_copy_has_its_rate()
    {
        Copy(TimeSpan.FromSeconds(3), bytesPerSecond: 1000);

        Assert.Equal(1000, _rate.BytesPerSecond());
    }

    [Fact]
    public void Only_the_last_seconds_count()
    {
        Copy(TimeSpan.FromSeconds(20), bytesPerSecond: 1_000_000);
        Copy(TimeSpan.FromSeconds(5), bytesPerSecond: 1000);

        Assert.Equal(1000, _rate.BytesPerSecond());
    }

    [Fact]
    public void A_copy_that_stands_still_slows_down_to_none()
    {
        Copy(TimeSpan.FromSeconds(5), bytesPerSecond: 1000);

        _time.Advance(TimeSpan.FromSeconds(2.5));
        long? fading = _rate.BytesPerSecond();
        _time.Advance(TimeSpan.FromSeconds(4));

        Assert.InRange(fading!.Value, 1, 999);
        Assert.Null(_rate.BytesPerSecond());
    }

    [Fact]
    public void A_new_phase_begins_anew()
    {
        Copy(TimeSpan.FromSeconds(5), bytesPerSecond: 1000);

        _rate.Note(0);
        Assert.Null(_rate.BytesPerSecond());
        _time.Advance(TimeSpan.FromSeconds(1));
        _rate.Note(50);

        Assert.Equal(50, _rate.BytesPerSecond());
    }

    private long _bytes;

    private void Copy(TimeSpan duration, long bytesPerSecond)
    {
        if (_bytes == 0)
        {
            _rate.Note(0);
        }

        for (int i = 0; i < duration.TotalSeconds * 20; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            _bytes += bytesPerSecond / 20;
            _rate.Note(_bytes);
        }
    }
}
