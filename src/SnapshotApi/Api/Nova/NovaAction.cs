using SnapshotApi.Api.Validation;

namespace SnapshotApi.Api.Nova;

/// <summary>A request for an image or a backup of a server.</summary>
/// <param name="Kind">Name of the action: <c>createImage</c>, <c>createBackup</c>.</param>
/// <param name="Name">Name of the image.</param>
/// <param name="Metadata">The user's properties for it.</param>
/// <param name="BackupType">Kind of backup; null for an image.</param>
/// <param name="Rotation">How many backups of that kind are kept; null for an image.</param>
internal sealed record NovaAction(
    string Kind, string Name, IReadOnlyDictionary<string, string> Metadata, string? BackupType, long? Rotation)
{
    private const string CreateImage = "createImage";
    private const string CreateBackup = "createBackup";
    private const int MaxTextLength = 255;

    private static readonly string[] ImageFields = ["name", "metadata"];
    private static readonly string[] BackupFields = ["name", "backup_type", "rotation", "metadata"];

    /// <exception cref="SnapshotApi.Errors.SnapshotException">invalid_request, with every wrong member.</exception>
    /// <exception cref="RequestRejectedException">400: it is another of Nova's actions.</exception>
    public static NovaAction Read(ReadOnlyMemory<byte> body)
    {
        var errors = new FieldErrors();
        JsonElement root = JsonBody.Parse(body, $"{CreateImage} or {CreateBackup} is needed", errors);
        JsonProperty[] members = [.. root.EnumerateObject().Take(2)];
        if (members.Length != 1)
        {
            errors.Add("body", $"must have one member, {CreateImage} or {CreateBackup}");
            throw errors.ToException();
        }

        string? kind = JsonFields.NameOf(members[0]);
        if (kind is not (CreateImage or CreateBackup))
        {
            throw NovaRefusal.Of(
                StatusCodes.Status400BadRequest,
                $"There is no such action: {TextRule.Shown(kind ?? "?")}. There are {CreateImage} and {CreateBackup}.");
        }

        if (members[0].Value.ValueKind != JsonValueKind.Object)
        {
            errors.Add(kind, "must be an object");
            throw errors.ToException();
        }

        var fields = new JsonFields(members[0].Value, kind == CreateImage ? ImageFields : BackupFields, errors);
        string? name = fields.Text("name", MaxTextLength, required: true);
        if (name is not null && name != name.Trim())
        {
            errors.Add("name", "must not begin or end with a blank");
        }

        IReadOnlyDictionary<string, string> metadata = ReadMetadata(fields);
        string? type = kind == CreateBackup ? fields.Text("backup_type", MaxTextLength, required: true) : null;
        long? rotation = kind == CreateBackup ? ReadRotation(fields) : null;
        errors.ThrowIfAny();
        return new NovaAction(kind, name!, metadata, type, rotation);
    }

    private static IReadOnlyDictionary<string, string> ReadMetadata(JsonFields fields)
    {
        IReadOnlyDictionary<string, string> metadata = MetadataReader.Read(fields);
        foreach (string key in metadata.Keys
            .Where(k => k.Any(c => !char.IsAsciiLetterOrDigit(c) && !"-_:. ".Contains(c))))
        {
            fields.Errors.Add(
                "metadata",
                $"has the key '{TextRule.Shown(key)}', which may have letters, digits, blanks and -_:. only");
        }

        return metadata;
    }

    // A number, or its digits as text: the clients do both.
    private static long? ReadRotation(JsonFields fields)
    {
        const string Field = "rotation";
        if (fields.Find(Field) is not { } element)
        {
            fields.Errors.Add(Field, "is required");
            return null;
        }

        string? text = element.ValueKind switch
        {
            JsonValueKind.String => JsonFields.TextOf(element),
            JsonValueKind.Number => element.GetRawText(),
            _ => null,
        };
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long rotation))
        {
            return rotation;
        }

        fields.Errors.Add(Field, "must be a whole number from 0");
        return null;
    }
}
