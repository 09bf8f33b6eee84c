using System.Text.Json;

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
