using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Captures;

namespace SnapshotApi.Tests.Captures;

public class DowntimeClockTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Each_part_is_measured_and_the_total_is_their_sum()
    {
        var clock = new DowntimeClock(_time);
        _time.Advance(TimeSpan.FromSeconds(9));
        clock.Start();
        _time.Advance(TimeSpan.FromSeconds(2));
        clock.Saved();
        _time.Advance(TimeSpan.FromSeconds(1));
        clock.Copied();
        _time.Advance(TimeSpan.FromSeconds(4));
        clock.Restored();
        _time.Advance(TimeSpan.FromSeconds(9));

        Assert.Equal(TimeSpan.FromSeconds(7), clock.Elapsed.Total);
        Assert.Equal(
            new DowntimeParts(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(4)),
            clock.Elapsed.Parts);
    }

    [Fact]
    public void A_part_that_lasts_still_grows()
    {
        var clock = new DowntimeClock(_time);
        clock.Start();
        clock.Saved();
        _time.Advance(TimeSpan.FromSeconds(3));

        Assert.Equal(new DowntimeParts(TimeSpan.Zero, TimeSpan.FromSeconds(3), TimeSpan.Zero), clock.Elapsed.Parts);
    }

    [Fact]
    public void A_server_that_was_off_has_no_downtime_and_no_parts()
    {
        var clock = new DowntimeClock(_time);
        clock.Saved();
        clock.Copied();
        _time.Advance(TimeSpan.FromSeconds(3));
        clock.Restored();

        Assert.Equal(GuestDowntime.None, clock.Elapsed);
    }
}
