using System.Net.Http.Headers;
using System.Text.Json;
using SnapshotApi.Errors;

namespace SnapshotApi.Api.Validation;

/// <summary>
/// The members of a JSON object, read one by one; what is wrong is collected. Null stands for a member that is not there.
/// </summary>
internal sealed class JsonFields
{
    private readonly Dictionary<string, JsonElement> _members = new(StringComparer.Ordinal);
    private readonly FieldErrors _errors;

    /// <summary>Takes the members of an object; unknown and repeated ones are errors.</summary>
    public JsonFields(JsonElement body, IReadOnlyList<string> known, FieldErrors errors)
    {
        _errors = errors;
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

    /// <summary>A name of a member; null when it is not valid Unicode.</summary>
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

    /// <summary>A string; null when the element is one that is not valid Unicode.</summary>
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

    /// <summary>The member as it is; null when it is not there.</summary>
    public JsonElement? Find(string name) =>
        _members.TryGetValue(name, out JsonElement element) && element.ValueKind != JsonValueKind.Null ? element : null;

    /// <summary>The member is there, if only as null.</summary>
    public bool Has(string name) => _members.ContainsKey(name);

    /// <summary>A member that is text; null when it is not there or wrong.</summary>
    public string? Text(string name, int maxLength, bool required = false)
    {
        if (Find(name) is not { } element)
        {
            if (required)
            {
                _errors.Add(name, "is required");
            }

            return null;
        }

        return Expect(name, element, JsonValueKind.String, "text") && Check(name, element, 1, maxLength, out string? text) ? text : null;
    }

    /// <summary>A member that is one of an enum's names; null when it is not there or wrong.</summary>
    public T? Choice<T>(string name)
        where T : struct, Enum
    {
        if (Find(name) is not { } element || !Expect(name, element, JsonValueKind.String, "text"))
        {
            return null;
        }

        if (TextOf(element) is { } text && EnumNames<T>.TryParse(text, out T value))
        {
            return value;
        }

        _errors.Add(name, $"must be one of {EnumNames<T>.List}");
        return null;
    }

    /// <summary>A member that is true or false; false when it is not there or wrong.</summary>
    public bool Flag(string name)
    {
        if (Find(name) is not { } element)
        {
            return false;
        }

        if (element.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
        {
            _errors.Add(name, $"must be true or false; it is {KindOf(element)}");
        }

        return element.ValueKind == JsonValueKind.True;
    }

    /// <summary>A member that is a whole number in a range; null when it is not there or wrong.</summary>
    public long? Number(string name, long min, long max)
    {
        if (Find(name) is not { } element || !Expect(name, element, JsonValueKind.Number, "a whole number"))
        {
            return null;
        }

        if (element.TryGetInt64(out long value) && value >= min && value <= max)
        {
            return value;
        }

        _errors.Add(name, $"must be a whole number from {min} to {max}");
        return null;
    }

    /// <summary>Notes an element that is not of the kind that it must be.</summary>
    public bool Expect(string name, JsonElement element, JsonValueKind kind, string article)
    {
        if (element.ValueKind != kind)
        {
            _errors.Add(name, $"must be {article}; it is {KindOf(element)}");
        }

        return element.ValueKind == kind;
    }

    /// <summary>Notes a string that is not text as <see cref="TextRule"/> wants it.</summary>
    public bool Check(string name, JsonElement element, int minLength, int maxLength, out string? text)
    {
        text = TextOf(element);
        string? wrong = text is null ? "must be valid Unicode" : TextRule.Check(text, minLength, maxLength);
        if (wrong is not null)
        {
            _errors.Add(name, wrong);
        }

        return wrong is null;
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
    /// <summary>Parses a body; the caller disposes the document.</summary>
    /// <param name="body">UTF-8 JSON.</param>
    /// <param name="rule">What an empty body should have been.</param>
    /// <param name="errors">Gets what is wrong.</param>
    /// <exception cref="SnapshotException">invalid_request: it is not a JSON object.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> body, string rule, FieldErrors errors)
    {
        if (body.IsEmpty)
        {
            errors.Add("body", $"is empty; {rule}");
            throw errors.ToException();
        }

        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body);
        }
        catch (JsonException e)
        {
            errors.Add("body", $"is not valid JSON at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}");
            throw errors.ToException();
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            document.Dispose();
            errors.Add("body", "must be a JSON object");
            throw errors.ToException();
        }

        return document;
    }
}

/// <summary>Reads the bytes of a JSON body, no more than a request may have.</summary>
internal static class BodyReader
{
    /// <summary>Most bytes of a body: a request with all its metadata fits many times.</summary>
    public const int MaxBytes = 64 << 10;

    /// <summary>Reads the body.</summary>
    /// <exception cref="RequestRejectedException">It is too large, or not said to be JSON.</exception>
    public static Task<ReadOnlyMemory<byte>> ReadAsync(
        HttpRequest request, CancellationToken cancellationToken) => ReadAsync(request, "application/json", cancellationToken);

    /// <summary>The same; another media type, too, is taken for JSON.</summary>
    public static async Task<ReadOnlyMemory<byte>> ReadAsync(
        HttpRequest request, string alsoMediaType, CancellationToken cancellationToken)
    {
        if (!IsJson(request.ContentType, alsoMediaType))
        {
            throw new RequestRejectedException(ProblemMapping.Of("unsupported_media_type"), "the body must be application/json");
        }

        if (request.ContentLength > MaxBytes)
        {
            throw TooLarge();
        }

        // One byte more than allowed, to notice a body that is longer than it may be and has no Content-Length.
        var buffer = new byte[MaxBytes + 1];
        int length = await request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken)
            .ConfigureAwait(false);
        return length > MaxBytes ? throw TooLarge() : buffer.AsMemory(0, length);
    }

    private static bool IsJson(string? contentType, string alsoMediaType) =>
        MediaTypeHeaderValue.TryParse(contentType, out MediaTypeHeaderValue? type)
        && (string.Equals(type.MediaType, "application/json", StringComparison.OrdinalIgnoreCase)
            || string.Equals(type.MediaType, alsoMediaType, StringComparison.OrdinalIgnoreCase))
        && (type.CharSet is null || string.Equals(type.CharSet.Trim('"'), "utf-8", StringComparison.OrdinalIgnoreCase));

    private static RequestRejectedException TooLarge() =>
        new(ProblemMapping.Of("payload_too_large"), $"the body must have at most {MaxBytes} bytes");
}
