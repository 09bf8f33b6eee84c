using SnapshotApi.Cli.Parsing;

namespace SnapshotApi.Tests.Cli.Parsing;

public sealed class SizeArgumentTests
{
    [Theory]
    [InlineData("1", 1)]
    [InlineData("4096", 4096)]
    [InlineData("50M", 50L << 20)]
    [InlineData("50MiB", 50L << 20)]
    [InlineData("50mb", 50L << 20)]
    [InlineData("1.5G", 3L << 29)]
    [InlineData("2T", 2L << 40)]
    [InlineData("0.5K", 512)]
    [InlineData(" 10B ", 10)]
    public void A_size_is_read_in_powers_of_1024(string text, long expected)
    {
        Assert.True(SizeArgument.TryParse(text, out long bytes));

        Assert.Equal(expected, bytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("M")]
    [InlineData("iB")]
    [InlineData("1X")]
    [InlineData("1,5M")]
    [InlineData("1e3")]
    [InlineData("0.0001")]
    [InlineData("9999999P")]
    [InlineData("99999999999999999999999999999999999999")]
    public void Anything_else_is_refused(string text) => Assert.False(SizeArgument.TryParse(text, out _));
}
