using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Tests.Snapshots;

public sealed class StoreChoiceTests
{
    [Fact]
    public void A_store_without_an_endpoint_is_not_there()
    {
        SnapshotException refusal = Refused(new SnapshotRequest("s") { Store = "glance" }, endpoint: "");

        Assert.Equal((SnapshotErrorCode.UnsupportedRequest, "the store 'glance' is not configured here"), (refusal.Code, refusal.Message));
        Assert.Equal("directory", Find(new SnapshotRequest("s"), endpoint: "").Name);
        Assert.Equal("glance", Find(new SnapshotRequest("s") { Store = "glance" }, endpoint: "http://127.0.0.1:9292").Name);
    }

    [Fact]
    public void What_the_store_would_refuse_is_told_together()
    {
        var metadata = new Dictionary<string, string> { ["owner"] = "me", ["kernel_id"] = "vmlinuz", ["fine"] = "yes" };

        SnapshotException refusal = Refused(new SnapshotRequest("s\U0001F600") { Store = "glance", Metadata = metadata }, "http://127.0.0.1:9292");

        Assert.Equal(SnapshotErrorCode.UnsupportedRequest, refusal.Code);
        Assert.All(["the name holds", "'owner'", "'kernel_id'"], part => Assert.Contains(part, refusal.Message, StringComparison.Ordinal));
        Assert.Equal("directory", Find(new SnapshotRequest("s\U0001F600") { Metadata = metadata }, "http://127.0.0.1:9292").Name);
    }

    private static SnapshotException Refused(SnapshotRequest request, string endpoint) =>
        Assert.Throws<SnapshotException>(() => Find(request, endpoint));

    private static IImageStore Find(SnapshotRequest request, string endpoint)
    {
        IOptions<StoresOptions> options = Options.Create(new StoresOptions { Glance = { Endpoint = endpoint } });
        using var client = new GlanceClient(options, Options.Create(new NodeOptions()), TimeProvider.System);
        return StoreChoice.Find([new DirectoryStore(options, Options.Create(new NodeOptions())), new GlanceStore(client, options, TimeProvider.System)], request, "directory");
    }
}
