using SnapshotApi.Api;
using SnapshotApi.Persistence;

namespace SnapshotApi.Tests.Api;

public class CursorsTests
{
    [Fact]
    public void A_cursor_survives_its_way_to_the_client_and_back()
    {
        var job = new JobCursor(
            new DateTimeOffset(2026, 3, 14, 9, 26, 53, TimeSpan.Zero).AddTicks(1234560), Guid.NewGuid());
        var server = new ServerCursor("a name with blanks, 名前", Guid.NewGuid(), "kvm1");

        Assert.Equal(job, Cursors.DecodeJob(Cursors.Encode(job)));
        Assert.Equal(server, Cursors.DecodeServer(Cursors.Encode(server)));
        Assert.Matches("^[A-Za-z0-9_-]+$", Cursors.Encode(server));
    }

    [Theory]
    [InlineData("")]
    [InlineData("%%%")]
    [InlineData("AAAA")]
    [InlineData("OTk5OTk5OTk5OTk5OTk5OTk5OSAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA")]
    [InlineData("LTEgMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA")]
    public void Anything_else_is_no_cursor(string text)
    {
        Assert.Null(Cursors.DecodeJob(text));
        Assert.Null(Cursors.DecodeImage(text));
        Assert.Null(Cursors.DecodeServer(text));
    }
}
