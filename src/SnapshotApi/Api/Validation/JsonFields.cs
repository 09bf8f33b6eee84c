using System.Net.Http.Headers;

namespace SnapshotApi.Api.Validation;

/// <summary>The members of a JSON object, read one by one. Null stands for a missing, null or wrong one.</summary>
internal sealed class JsonFields
{
    private readonly Dictionary<string, JsonElement> _members = new(StringComparer.Ordinal);

    /// <summary>Takes the members of an object; unknown and repeated ones are errors.</summary>
    public JsonFields(JsonElement body, IReadOnlyList<string> known, FieldErrors errors)
    {
        Errors = errors;
        foreach (JsonProperty member in body.EnumerateObject())
        {
            if (NameOf(member) is not { } name)
            {
                errors.Add("body", "holds a member whose name is not valid Unicode");
            }
            else if (!known.Contains(name, StringComparer.Ordinal))
            {
                errors.Add(TextRule.Shown(name), $"is not known; known are {string.Join(", ", known)}");
            }
            else if (!_members.TryAdd(name, member.Value))
            {
                errors.Add(name, "is given more than once");
            }
        }
    }

    public FieldErrors Errors { get; }

    /// <summary>The members of a body; those of the contract are known.</summary>
    /// <param name="body">UTF-8 JSON.</param>
    /// <param name="rule">What an empty body should have been.</param>
    /// <exception cref="SnapshotException">invalid_request: it is not a JSON object.</exception>
    public static JsonFields Of<TContract>(ReadOnlyMemory<byte> body, string rule)
    {
        var errors = new FieldErrors();
        return new JsonFields(JsonBody.Parse(body, rule, errors), MembersOf<TContract>(), errors);
    }

    /// <summary>The members of a contract, as JSON spells them.</summary>
    public static IReadOnlyList<string> MembersOf<TContract>() =>
        [.. typeof(TContract).GetProperties().Select(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name))];

    /// <summary>The name of a member; null when it is not valid Unicode.</summary>
    public static string? NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            // An escape such as \ud800 without its other half.
            return null;
        }
    }

    /// <summary>A string; null when it is not valid Unicode.</summary>
    public static string? TextOf(JsonElement element)
    {
        try
        {
            return element.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The member, of whatever kind; null when it is missing or null.</summary>
    public JsonElement? Find(string name) =>
        _members.TryGetValue(name, out JsonElement element) && element.ValueKind != JsonValueKind.Null ? element : null;

    /// <summary>The member; it must be of a kind.</summary>
    public JsonElement? Find(string name, JsonValueKind kind, string article) =>
        Find(name) is { } element && Expect(name, element, kind, article) ? element : null;

    /// <summary>The member is there, if only as null.</summary>
    public bool Has(string name) => _members.ContainsKey(name);

    public string? Text(string name, int maxLength, bool required = false)
    {
        if (required && Find(name) is null)
        {
            Errors.Add(name, "is required");
        }

        return Find(name, JsonValueKind.String, "text") is { } text
            ? Errors.Text(name, TextOf(text), 1, maxLength)
            : null;
    }

    public T? Choice<T>(string name)
        where T : struct, Enum
    {
        if (Find(name, JsonValueKind.String, "text") is not { } element)
        {
            return null;
        }

        if (TextOf(element) is { } text && EnumNames<T>.TryParse(text, out T value))
        {
            return value;
        }

        Errors.Add(name, $"must be one of {EnumNames<T>.List}");
        return null;
    }

    /// <summary>A member that is true or false; false when it is missing.</summary>
    public bool Flag(string name)
    {
        JsonElement? element = Find(name);
        if (element is { ValueKind: not (JsonValueKind.True or JsonValueKind.False) } other)
        {
            Errors.Add(name, $"must be true or false; it is {KindOf(other)}");
        }

        return element is { ValueKind: JsonValueKind.True };
    }

    public long? Number(string name, long min, long max) =>
        Find(name, JsonValueKind.Number, "a whole number") is not { } element ? null
        : Errors.Number(name, element.TryGetInt64(out long value) ? value : null, min, max);

    /// <summary>Notes an element that is not of the kind that it must be.</summary>
    public bool Expect(string name, JsonElement element, JsonValueKind kind, string article)
    {
        if (element.ValueKind != kind)
        {
            Errors.Add(name, $"must be {article}; it is {KindOf(element)}");
        }

        return element.ValueKind == kind;
    }

    private static string KindOf(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "text",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };
}

/// <summary>A body that must be a JSON object.</summary>
internal static class JsonBody
{
    /// <param name="body">UTF-8 JSON.</param>
    /// <param name="rule">What an empty body should have been.</param>
    /// <param name="errors">Gets what is wrong.</param>
    /// <exception cref="SnapshotException">invalid_request: it is not a JSON object.</exception>
    public static JsonElement Parse(ReadOnlyMemory<byte> body, string rule, FieldErrors errors)
    {
        string wrong = $"is empty; {rule}";
        try
        {
            if (!body.IsEmpty)
            {
                var element = JsonElement.Parse(body.Span);
                if (element.ValueKind == JsonValueKind.Object)
                {
                    return element;
                }

                wrong = "must be a JSON object";
            }
        }
        catch (JsonException e)
        {
            wrong = $"is not valid JSON at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}";
        }

        errors.Add("body", wrong);
        throw errors.ToException();
    }
}

/// <summary>Reads the bytes of a JSON body, no more than a request may have.</summary>
internal static class BodyReader
{
    /// <summary>Most bytes of a body: a request with all its metadata fits many times.</summary>
    public const int MaxBytes = 64 << 10;

    private const string Json = "application/json";

    /// <exception cref="RequestRejectedException">It is too large, or has another media type.</exception>
    public static Task<ReadOnlyMemory<byte>> ReadAsync(HttpRequest request, CancellationToken cancellationToken) =>
        ReadAsync(request, Json, cancellationToken);

    /// <summary>The same; another media type is accepted, too.</summary>
    public static async Task<ReadOnlyMemory<byte>> ReadAsync(
        HttpRequest request, string alsoMediaType, CancellationToken cancellationToken)
    {
        if (!IsJson(request.ContentType, alsoMediaType))
        {
            throw new RequestRejectedException(ProblemMapping.Of("unsupported_media_type"), $"the body must be {Json}");
        }

        if (request.ContentLength > MaxBytes)
        {
            throw TooLarge();
        }

        // One byte more than allowed, to notice a body that is too long and has no Content-Length.
        var buffer = new byte[MaxBytes + 1];
        int length = await request.Body
            .ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken)
            .ConfigureAwait(false);
        return length > MaxBytes ? throw TooLarge() : buffer.AsMemory(0, length);
    }

    private static bool IsJson(string? contentType, string alsoMediaType) =>
        MediaTypeHeaderValue.TryParse(contentType, out MediaTypeHeaderValue? type)
        && (string.Equals(type.MediaType, Json, StringComparison.OrdinalIgnoreCase)
            || string.Equals(type.MediaType, alsoMediaType, StringComparison.OrdinalIgnoreCase))
        && (type.CharSet is null || string.Equals(type.CharSet.Trim('"'), "utf-8", StringComparison.OrdinalIgnoreCase));

    private static RequestRejectedException TooLarge() =>
        new(ProblemMapping.Of("payload_too_large"), $"the body must have at most {MaxBytes} bytes");
}
