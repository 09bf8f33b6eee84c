using Microsoft.AspNetCore.Http;
using SnapshotApi.Api.Nova;

namespace SnapshotApi.Tests.Api.Nova;

public sealed class NovaVersionTests
{
    [Theory]
    [InlineData(null, null, "2.1")]
    [InlineData(null, "2.26", "2.26")]
    [InlineData("compute 2.45", "2.1", "2.45")]
    [InlineData("compute latest", null, "2.45")]
    [InlineData("volume 3.0, compute 2.10", null, "2.10")]
    [InlineData("volume 3.0", null, "2.1")]
    [InlineData("compute 2.99", null, "2.99")]
    [InlineData("compute 2", null, null)]
    [InlineData("compute two.one", null, null)]
    [InlineData(null, "-2.1", null)]
    [InlineData(null, "2.-1", null)]
    public void The_newer_header_comes_first_and_none_means_the_oldest(string? header, string? old, string? expected)
    {
        var headers = new HeaderDictionary();
        if (header is not null)
        {
            headers[NovaVersion.Header] = header;
        }

        if (old is not null)
        {
            headers[NovaVersion.OldHeader] = old;
        }

        Assert.Equal(expected, NovaVersion.Read(headers)?.ToString());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public void What_is_older_than_the_oldest_is_below_it(string version)
    {
        var headers = new HeaderDictionary { [NovaVersion.OldHeader] = version };

        Assert.True(NovaVersion.Read(headers)!.Value.CompareTo(NovaVersion.Oldest) < 0);
    }

    [Fact]
    public void Another_generation_is_above_the_newest()
    {
        var headers = new HeaderDictionary { [NovaVersion.OldHeader] = "3.1" };

        Assert.True(NovaVersion.Read(headers)!.Value.CompareTo(NovaVersion.Newest) > 0);
    }
}
