using System.Text;

namespace SnapshotApi.Api.Validation;

/// <summary>Reads the user's properties for an image.</summary>
internal static class MetadataReader
{
    private const string Field = "metadata";
    private const int MaxKeys = 128;
    private const int MaxTextLength = 255;

    // Glance and the job row hold them: requests, jobs and images stay small.
    private const int MaxTotalBytes = 32 << 10;

    /// <summary>The properties; empty when there are none or they are wrong.</summary>
    public static IReadOnlyDictionary<string, string> Read(JsonFields fields)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        if (fields.Find(Field, JsonValueKind.Object, "an object of text values") is not { } map)
        {
            return metadata;
        }

        int totalBytes = 0;
        foreach (JsonProperty member in map.EnumerateObject())
        {
            if (ReadKey(member, fields.Errors) is not { } key)
            {
                continue;
            }

            string field = $"{Field}.{TextRule.Shown(key)}";
            if (!fields.Expect(field, member.Value, JsonValueKind.String, "text")
                || fields.Errors.Text(field, JsonFields.TextOf(member.Value), 0, MaxTextLength) is not { } value)
            {
                continue;
            }

            totalBytes += Encoding.UTF8.GetByteCount(key) + Encoding.UTF8.GetByteCount(value);
            if (!metadata.TryAdd(key, value))
            {
                fields.Errors.Add(field, "is given more than once");
            }
        }

        if (map.GetPropertyCount() > MaxKeys)
        {
            fields.Errors.Add(Field, $"must have at most {MaxKeys} keys; it has {map.GetPropertyCount()}");
        }

        if (totalBytes > MaxTotalBytes)
        {
            fields.Errors.Add(Field, $"must hold at most {MaxTotalBytes} bytes in all; it holds {totalBytes}");
        }

        return metadata;
    }

    private static string? ReadKey(JsonProperty member, FieldErrors errors)
    {
        string? key = JsonFields.NameOf(member);
        string? wrong = key is null ? "must be valid Unicode" : TextRule.Check(key, 1, MaxTextLength);
        if (wrong is not null)
        {
            errors.Add(Field, $"has the key '{TextRule.Shown(key ?? "?")}', which {wrong}");
        }

        return wrong is null ? key : null;
    }
}
