using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Tests.Cli.Rendering;

public sealed class UnitTextTests
{
    [Theory]
    [InlineData(null, "-")]
    [InlineData(0L, "0 B")]
    [InlineData(1023L, "1023 B")]
    [InlineData(1024L, "1.0 KiB")]
    [InlineData(1536L, "1.5 KiB")]
    [InlineData(1048575L, "1.0 MiB")]
    [InlineData(104857600L, "100 MiB")]
    [InlineData(2147483648L, "2.0 GiB")]
    [InlineData(long.MaxValue, "8.0 EiB")]
    public void A_size_has_an_iec_unit(long? bytes, string expected) => Assert.Equal(expected, UnitText.Size(bytes));

    [Theory]
    [InlineData(0, "0:00")]
    [InlineData(0.2, "0:01")]
    [InlineData(61, "1:01")]
    [InlineData(3600, "1:00:00")]
    [InlineData(90061, "25:01:01")]
    [InlineData(-4, "0:00")]
    public void A_span_reads_as_a_clock(double seconds, string expected) =>
        Assert.Equal(expected, UnitText.Clock(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(99.99, "99%")]
    [InlineData(100, "100%")]
    [InlineData(-3, "0%")]
    [InlineData(240, "100%")]
    public void A_percentage_is_rounded_down_and_bounded(double percent, string expected) =>
        Assert.Equal(expected, UnitText.Percent(percent));
}
