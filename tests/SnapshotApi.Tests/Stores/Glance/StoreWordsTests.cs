using System.Net;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Tests.Stores.Glance;

public sealed class StoreWordsTests
{
    [Theory]
    [InlineData("""{"message": "Denying attempt to upload image because it exceeds the quota: 12 &gt; 3<br /><br />\n\n\n", "code": "413"}""",
        "413 Denying attempt to upload image because it exceeds the quota: 12 > 3")]
    [InlineData("<html><head><title>413 Too Large</title></head><body><h1>413</h1>\nToo <b>large</b>.</body></html>", "413 413 Too large .")]
    [InlineData("", "413 Request Entity Too Large")]
    [InlineData("{}", "413 Request Entity Too Large")]
    [InlineData("[1]", "413 Request Entity Too Large")]
    [InlineData("""{"message": "Can't write /var/lib/glance/images/x-1: see http://docs.example/v2/a"}""", "413 Can't write (path): see http://docs.example/v2/a")]
    [InlineData("a\u0000\u001b[31mb\u202ec", "413 a [31mb c")]
    public void What_a_store_says_is_a_line_without_markup_and_paths(string body, string expected)
    {
        Assert.Equal(expected, StoreWords.Of(HttpStatusCode.RequestEntityTooLarge, body));
    }

    [Theory(Timeout = 10_000)]
    [InlineData("<head")]
    [InlineData("<script>")]
    [InlineData("<style ")]
    public async Task A_megabyte_of_beginnings_without_an_end_costs_no_time(string beginning)
    {
        string body = string.Concat(Enumerable.Repeat(beginning, (1 << 20) / beginning.Length));

        string said = await Task.Run(() => StoreWords.Of(HttpStatusCode.BadRequest, body), TestContext.Current.CancellationToken);

        Assert.StartsWith("400 ", said, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_store_says_is_short()
    {
        Assert.True(StoreWords.Of(HttpStatusCode.BadRequest, new string('x', 100_000)).Length < 220);
    }
}
