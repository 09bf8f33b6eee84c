using System.Text.Json;

namespace SnapshotApi.Stores.Glance;

/// <summary>A record of Glance, as much of it as is needed.</summary>
/// <param name="Status"><c>queued</c>, <c>saving</c>, <c>active</c>...</param>
/// <param name="SizeBytes">Length of the file; null before there is one.</param>
/// <param name="HashAlgorithm">For example <c>sha512</c>; null before there is a file, and in a Glance older than Rocky.</param>
/// <param name="HashValue">Hexadecimal.</param>
/// <param name="DiskFormat">For example <c>qcow2</c>.</param>
/// <param name="ContainerFormat">For example <c>bare</c>.</param>
/// <param name="Texts">Every member that is text, properties and attributes alike.</param>
internal sealed record GlanceImage(
    string Status,
    long? SizeBytes,
    string? HashAlgorithm,
    string? HashValue,
    string? DiskFormat,
    string? ContainerFormat,
    IReadOnlyDictionary<string, string> Texts)
{
    /// <summary>Reads the document of a record.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static GlanceImage Read(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || Text(root, "status") is not { } status)
        {
            throw new JsonException("it has no status");
        }

        return new GlanceImage(
            status,
            root.TryGetProperty("size", out JsonElement size) && size.ValueKind == JsonValueKind.Number && size.TryGetInt64(out long bytes) ? bytes : null,
            Text(root, "os_hash_algo"),
            Text(root, "os_hash_value"),
            Text(root, "disk_format"),
            Text(root, "container_format"),
            root.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.String)
                .GroupBy(p => p.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Last().Value.GetString()!, StringComparer.Ordinal));
    }

    private static string? Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
