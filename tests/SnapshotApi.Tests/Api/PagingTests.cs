using Microsoft.AspNetCore.Http;
using SnapshotApi.Api;
using SnapshotApi.Contracts;

namespace SnapshotApi.Tests.Api;

public class PagingTests
{
    [Theory]
    [InlineData(0, 0, null)]
    [InlineData(2, 2, null)]
    [InlineData(3, 2, "/snapshots/jobs?node=a&limit=2&cursor=after2")]
    public void A_page_names_the_next_one_only_if_there_is_one(int rows, int items, string? next)
    {
        var context = new DefaultHttpContext();
        (context.Request.PathBase, context.Request.Path, context.Request.QueryString) =
            ("/snapshots", "/jobs", new QueryString("?node=a&cursor=before&limit=2"));

        int[] found = [.. Enumerable.Range(1, rows)];
        Page<int> page = Paging.Answer(context, found, 2, row => $"after{row}", row => row).Value!;

        Assert.Equal((items, next), (page.Items.Count, page.Next));
        Assert.Equal(next is null ? "" : $"<{next}>; rel=\"next\"", context.Response.Headers.Link.ToString());
    }
}
