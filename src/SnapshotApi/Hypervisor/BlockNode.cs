using System.Text.Json;
using System.Text.Json.Nodes;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// A chain of layers as QEMU's block layer takes it: every format and every file named, so that nothing is probed and no
/// backing file that a header names is followed.
/// </summary>
internal static class BlockNode
{
    /// <summary>The <c>json:</c> file name of a chain, top layer first.</summary>
    /// <exception cref="ArgumentException">The chain is empty, or a layer has no path or no format.</exception>
    public static string ToFileName(IReadOnlyList<DiskLayer> layers)
    {
        if (layers.Count == 0)
        {
            throw new ArgumentException("a chain has at least one layer", nameof(layers));
        }

        JsonObject? below = null;
        for (int i = layers.Count - 1; i >= 0; i--)
        {
            below = Node(layers[i], below, isLast: i == layers.Count - 1);
        }

        return "json:" + below!.ToJsonString(new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }

    private static JsonObject Node(DiskLayer layer, JsonObject? backing, bool isLast)
    {
        string path = layer.Path ?? throw new ArgumentException("a layer without a path can't be opened here", nameof(layer));
        string format = layer.Format ?? throw new ArgumentException("a layer without a format can't be opened", nameof(layer));
        var node = new JsonObject
        {
            ["driver"] = format,
            ["read-only"] = true,
            ["file"] = new JsonObject
            {
                ["driver"] = layer.SourceType == "block" ? "host_device" : "file",
                ["filename"] = path,
                ["read-only"] = true,
            },
        };
        if (format == "qcow2")
        {
            // null: also when the header names a backing file, none is opened.
            node["backing"] = isLast ? null : backing;
        }

        return node;
    }
}
