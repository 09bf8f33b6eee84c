using System.Text.Json.Nodes;
using SnapshotApi.Hypervisor;
using SnapshotApi.Tools;

namespace SnapshotApi.Tests.Tools;

public sealed class BlockNodeTests
{
    [Fact]
    public void Every_format_and_file_is_named_and_the_base_has_no_backing()
    {
        JsonNode node = Parse(BlockNode.ToFileName(
            [new DiskLayer("file", "/i/to\"p,x", "qcow2"), new DiskLayer("file", "/i/mid", "qcow2"), new DiskLayer("block", "/dev/b", "raw")]));

        Assert.Equal("/i/to\"p,x", (string?)node["file"]!["filename"]);
        Assert.Equal("qcow2", (string?)node["backing"]!["driver"]);
        Assert.Equal("host_device", (string?)node["backing"]!["backing"]!["file"]!["driver"]);
        Assert.Null(node["backing"]!["backing"]!["backing"]);
    }

    [Fact]
    public void A_standalone_qcow2_says_that_it_has_no_backing_file()
    {
        JsonObject node = Parse(BlockNode.ToFileName([new DiskLayer("file", "/i/a", "qcow2")])).AsObject();

        Assert.True(node.ContainsKey("backing"));
        Assert.Null(node["backing"]);
    }

    [Fact]
    public void A_chain_without_path_format_or_layer_is_refused()
    {
        Assert.Throws<ArgumentException>(() => BlockNode.ToFileName([]));
        Assert.Throws<ArgumentException>(() => BlockNode.ToFileName([new DiskLayer("network", null, "raw")]));
        Assert.Throws<ArgumentException>(() => BlockNode.ToFileName([new DiskLayer("file", "/a", null)]));
    }

    [Fact]
    public void A_chain_as_long_as_libvirts_keeps_within_the_memory_of_its_server()
    {
        DiskLayer[] layers = [.. Enumerable.Range(0, 200).Select(i => new DiskLayer("file", $"/i/{i}", "qcow2"))];
        string name = BlockNode.ToFileName(layers);

        JsonNode top = JsonNode.Parse(name["json:".Length..], documentOptions: new() { MaxDepth = 1000 })!;

        Assert.InRange((long)top["l2-cache-size"]!, 2 << 20, 32 << 20);
        Assert.Null(Parse(BlockNode.ToFileName(layers[..16]))["l2-cache-size"]);
        Assert.True(
            ChildLimits.ReadOnlyServer(200).AddressSpaceBytes > ChildLimits.ReadOnlyServer(16).AddressSpaceBytes);
    }

    [Fact]
    public void Only_a_trial_shares_its_layers_with_a_writer()
    {
        DiskLayer[] layers = [new("file", "/a", "qcow2"), new("file", "/b", "raw")];

        Assert.Null(Parse(BlockNode.ToFileName(layers))["force-share"]);
        JsonNode shared = Parse(BlockNode.ToFileName(layers, isShared: true));
        Assert.True((bool)shared["force-share"]!);
        Assert.True((bool)shared["backing"]!["force-share"]!);
    }

    private static JsonNode Parse(string fileName)
    {
        Assert.StartsWith("json:", fileName, StringComparison.Ordinal);
        return JsonNode.Parse(fileName["json:".Length..])!;
    }
}
