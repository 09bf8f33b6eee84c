using System.Text.Json.Nodes;

namespace SnapshotApi.Stores.Glance;

/// <summary>Composes the record of an image, and knows beforehand what Glance would say against it.</summary>
internal static class GlanceRecord
{
    private const int MaxTextLength = 255;

    // Glance's image_property_quota, as it comes; each attribute of its schema that the record sets is none of them.
    private const int MaxProperties = 128;

    /// <summary>Members that Glance refuses (403), that are no text (400), or that we decide.</summary>
    private static readonly HashSet<string> OwnMembers = new(StringComparer.Ordinal)
    {
        "id", "name", "status", "visibility", "protected", "os_hidden", "checksum", "os_hash_algo", "os_hash_value",
        "owner", "size", "virtual_size",
        "created_at", "updated_at", "tags", "direct_url", "min_ram", "min_disk", "self", "file", "stores", "schema",
        "locations", "location",
        "deleted", "deleted_at",
    };

    /// <summary>Properties that must be the UUID of an image.</summary>
    private static readonly string[] References = ["kernel_id", "ramdisk_id"];

    /// <summary>What Glance would refuse; empty when nothing.</summary>
    /// <param name="name">Name of the image.</param>
    /// <param name="properties">Properties of the image.</param>
    public static IReadOnlyList<string> Problems(string name, IReadOnlyDictionary<string, string> properties)
    {
        var problems = new List<string>();
        if (IsTooLong(name))
        {
            problems.Add($"the name is longer than {MaxTextLength} characters");
        }

        // Its database may have three bytes a character only.
        if (HasWideCharacter(name))
        {
            problems.Add("the name holds a character beyond U+FFFF");
        }

        problems.AddRange(properties.Select(p => Problem(p.Key, p.Value)).OfType<string>());
        if (properties.Keys.Count(k => !IsAttribute(k)) is > MaxProperties and var count)
        {
            problems.Add($"there are {count} properties, {MaxProperties} are the most");
        }

        return problems;
    }

    /// <summary>The document of a record that is to be made.</summary>
    public static JsonObject Compose(ImageDescription image)
    {
        const long GiB = 1L << 30;
        var record = new JsonObject
        {
            ["id"] = image.Id.ToString("D"),
            ["name"] = image.Name,
            ["visibility"] = "private",
            ["min_disk"] = (image.VirtualSizeBytes + GiB - 1) / GiB,
        };
        foreach ((string key, string value) in image.Properties)
        {
            record[key] = value;
        }

        return record;
    }

    /// <summary>The patch (RFC 6902) that makes a reserved record that of the image.</summary>
    public static JsonArray ComposeChange(ImageDescription image, GlanceImage record)
    {
        var change = new JsonArray();
        foreach ((string key, JsonNode? value) in Compose(image))
        {
            if (key is not ("id" or "visibility"))
            {
                change.Add(
                    Set(key, value, isThere: IsAttribute(key) || key is "name" or "min_disk"
                        || record.Texts.ContainsKey(key)));
            }
        }

        return change;
    }

    /// <summary>One change of a record: a member gets a value.</summary>
    /// <param name="key">The member.</param>
    /// <param name="value">Its value.</param>
    /// <param name="isThere">The record has it, if only as null.</param>
    public static JsonObject Set(string key, JsonNode? value, bool isThere) =>
        new() { ["op"] = isThere ? "replace" : "add", ["path"] = Pointer(key), ["value"] = value?.DeepClone() };

    /// <summary>One change of a record: a member goes.</summary>
    public static JsonObject Remove(string key) => new() { ["op"] = "remove", ["path"] = Pointer(key) };

    // RFC 6901.
    private static string Pointer(string key) =>
        "/" + key.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    private static string? Problem(string key, string value)
    {
        if (OwnMembers.Contains(key) || key.StartsWith("os_glance_", StringComparison.Ordinal))
        {
            return $"'{key}' is Glance's own and can't be a property";
        }

        if (IsTooLong(key))
        {
            return $"the property '{key[..20]}...' has a name longer than {MaxTextLength} characters";
        }

        if (HasWideCharacter(key) || HasWideCharacter(value))
        {
            return $"the property '{key}' holds a character beyond U+FFFF";
        }

        return References.Contains(key) && !Guid.TryParseExact(value, "D", out _)
            ? $"the property '{key}' is not the UUID of an image"
            : null;
    }

    private static bool IsAttribute(string key) => key is "disk_format" or "container_format";

    private static bool IsTooLong(string text) => text.EnumerateRunes().Count() > MaxTextLength;

    private static bool HasWideCharacter(string text) => text.EnumerateRunes().Any(r => !r.IsBmp);
}

/// <summary>A record of Glance, as much of it as is needed.</summary>
/// <param name="Status"><c>queued</c>, <c>saving</c>, <c>active</c>...</param>
/// <param name="SizeBytes">Length of the file; null before there is one.</param>
/// <param name="HashAlgorithm">For example <c>sha512</c>; null without a file, or before Glance Rocky.</param>
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
            root.TryGetProperty("size", out JsonElement size)
                && size.ValueKind == JsonValueKind.Number
                && size.TryGetInt64(out long bytes) ? bytes : null,
            Text(root, "os_hash_algo"),
            Text(root, "os_hash_value"),
            Text(root, "disk_format"),
            Text(root, "container_format"),
            root.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.String)
                .GroupBy(p => p.Name, StringComparer.Ordinal).ToDictionary(
                    g => g.Key, g => g.Last().Value.GetString()!, StringComparer.Ordinal));
    }

    private static string? Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;
}
