using System.Text.Json.Nodes;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Tools;

/// <summary>A chain of layers for QEMU's block layer, all named: no header's backing file is followed.</summary>
internal static class BlockNode
{
    // A layer nests two levels; QEMU itself parses 1024.
    private static readonly JsonSerializerOptions Json = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = 1024,
    };

    /// <summary>The <c>json:</c> file name of a chain, top layer first.</summary>
    /// <param name="isShared">A writer is allowed (<c>force-share</c>): for a trial, what is read may be torn.</param>
    /// <exception cref="ArgumentException">The chain is empty, or a layer has no path or no format.</exception>
    public static string ToFileName(IReadOnlyList<DiskLayer> layers, bool isShared = false)
    {
        if (layers.Count == 0)
        {
            throw new ArgumentException("a chain has at least one layer", nameof(layers));
        }

        JsonObject? below = null;
        long? cacheBytes = ChildLimits.CacheBytesPerLayer(layers.Count);
        for (int i = layers.Count - 1; i >= 0; i--)
        {
            below = Node(layers[i], below, isLast: i == layers.Count - 1);
            if (cacheBytes is not null && layers[i].Format == "qcow2")
            {
                below["l2-cache-size"] = cacheBytes;
            }

            if (isShared)
            {
                below["force-share"] = true;
            }
        }

        return "json:" + below!.ToJsonString(Json);
    }

    /// <summary>QEMU's driver for what a layer lies on; each refuses the other.</summary>
    public static string FileDriver(DiskLayer layer) => layer.SourceType == "block" ? "host_device" : "file";

    private static JsonObject Node(DiskLayer layer, JsonObject? backing, bool isLast)
    {
        string path = layer.Path
            ?? throw new ArgumentException("a layer without a path can't be opened here", nameof(layer));
        string format = layer.Format
            ?? throw new ArgumentException("a layer without a format can't be opened", nameof(layer));
        var node = new JsonObject
        {
            ["driver"] = format,
            ["read-only"] = true,
            ["file"] = new JsonObject { ["driver"] = FileDriver(layer), ["filename"] = path, ["read-only"] = true },
        };
        if (format == "qcow2")
        {
            // null: also when the header names a backing file, none is opened.
            node["backing"] = isLast ? null : backing;
        }

        return node;
    }
}
