using System.Text;
using System.Text.Json;

namespace SnapshotApi.Api.Validation;

/// <summary>Reads the user's properties for an image.</summary>
internal static class MetadataReader
{
    private const string Field = "metadata";
    private const int MaxKeys = 128;
    private const int MaxTextLength = 255;

    // Glance and the job row hold them; with it a request, a job and an image stay small.
    private const int MaxTotalBytes = 32 << 10;

    /// <summary>The properties; empty when there are none or they are wrong.</summary>
    public static IReadOnlyDictionary<string, string> Read(JsonFields fields, FieldErrors errors)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        if (fields.Find(Field) is not { } map || !fields.Expect(Field, map, JsonValueKind.Object, "an object of text values"))
        {
            return metadata;
        }

        int count = 0;
        int totalBytes = 0;
        foreach (JsonProperty member in map.EnumerateObject())
        {
            count++;
            if (ReadKey(member, errors) is not { } key)
            {
                continue;
            }

            string field = $"{Field}.{TextRule.Shown(key)}";
            if (!fields.Expect(field, member.Value, JsonValueKind.String, "text")
                || !fields.Check(field, member.Value, 0, MaxTextLength, out string? value))
            {
                continue;
            }

            totalBytes += Encoding.UTF8.GetByteCount(key) + Encoding.UTF8.GetByteCount(value!);
            if (!metadata.TryAdd(key, value!))
            {
                errors.Add(field, "is given more than once");
            }
        }

        if (count > MaxKeys)
        {
            errors.Add(Field, $"must have at most {MaxKeys} keys; it has {count}");
        }

        if (totalBytes > MaxTotalBytes)
        {
            errors.Add(Field, $"must hold at most {MaxTotalBytes} bytes in all; it holds {totalBytes}");
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
