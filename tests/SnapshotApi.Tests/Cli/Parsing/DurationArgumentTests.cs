using SnapshotApi.Cli.Parsing;

namespace SnapshotApi.Tests.Cli.Parsing;

public sealed class DurationArgumentTests
{
    [Theory]
    [InlineData("90", 90)]
    [InlineData("90s", 90)]
    [InlineData("45m", 2700)]
    [InlineData("2h", 7200)]
    [InlineData("1h30m", 5400)]
    [InlineData("1d2h3m4s", 93784)]
    public void A_span_is_read_in_seconds(string text, int expected)
    {
        Assert.True(DurationArgument.TryParse(text, out TimeSpan span));

        Assert.Equal(expected, span.TotalSeconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("-5")]
    [InlineData("h")]
    [InlineData("30m1h")]
    [InlineData("1h1h")]
    [InlineData("1.5h")]
    [InlineData("1w")]
    [InlineData("366d")]
    [InlineData("99999999999")]
    public void Anything_else_is_refused(string text) => Assert.False(DurationArgument.TryParse(text, out _));
}
