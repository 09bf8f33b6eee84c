using System.Text;

namespace SnapshotApi.Api.Validation;

/// <summary>Collects what is wrong with a request, so that one answer names every wrong field.</summary>
internal sealed class FieldErrors
{
    // A body of 64 KiB can have thousands of wrong members; more than this helps nobody.
    private const int MaxFields = 100;

    private readonly SortedDictionary<string, List<string>> _errors = new(StringComparer.Ordinal);

    /// <summary>Notes that a field is wrong.</summary>
    /// <param name="field">Name of the member, query parameter or header; <c>body</c> for the whole.</param>
    /// <param name="message">The rest of a sentence that begins with the field's name.</param>
    public void Add(string field, string message)
    {
        if (_errors.TryGetValue(field, out List<string>? messages))
        {
            messages.Add(message);
        }
        else if (_errors.Count < MaxFields)
        {
            _errors[field] = [message];
        }
    }

    /// <summary>A text as <see cref="TextRule"/> wants it; otherwise null, and the error is noted.</summary>
    /// <param name="value">The text; null: it is not valid Unicode.</param>
    public string? Text(string field, string? value, int minLength, int maxLength)
    {
        string? wrong = value is null ? "must be valid Unicode" : TextRule.Check(value, minLength, maxLength);
        if (wrong is not null)
        {
            Add(field, wrong);
        }

        return wrong is null ? value : null;
    }

    /// <summary>A number within its range; otherwise null, and the error is noted.</summary>
    /// <param name="value">The number; null: it is not a whole one.</param>
    public long? Number(string field, long? value, long min, long max)
    {
        if (value >= min && value <= max)
        {
            return value;
        }

        Add(field, $"must be a whole number from {min} to {max}");
        return null;
    }

    /// <exception cref="SnapshotException">invalid_request, with every wrong field.</exception>
    public void ThrowIfAny()
    {
        if (_errors.Count > 0)
        {
            throw ToException();
        }
    }

    /// <summary>invalid_request, with every wrong field.</summary>
    public SnapshotException ToException()
    {
        string fields = string.Join(", ", _errors.Keys.Take(5)) + (_errors.Count > 5 ? ", ..." : string.Empty);
        string message = $"{(_errors.Count == 1 ? "one field is" : $"{_errors.Count} fields are")} wrong: {fields}";
        var errors = _errors.ToDictionary(e => e.Key, IReadOnlyList<string> (e) => e.Value, StringComparer.Ordinal);
        return new SnapshotException(SnapshotErrorCode.InvalidRequest, message)
        {
            Details = new Dictionary<string, object?> { [ProblemWriter.ErrorsKey] = errors },
        };
    }
}

/// <summary>The text that users may send: what a log, a terminal, a database and a store all take unchanged.</summary>
internal static class TextRule
{
    /// <summary>What is wrong with a text; null when nothing is.</summary>
    /// <param name="minLength">Fewest characters; with 1 or more it must not be blank either.</param>
    /// <param name="maxLength">Most characters, counted as Unicode code points.</param>
    public static string? Check(string value, int minLength, int maxLength)
    {
        int length = 0;
        foreach (Rune rune in value.EnumerateRunes())
        {
            length++;
            if (IsForbidden(rune))
            {
                return "must not hold control characters or line separators";
            }
        }

        // EnumerateRunes replaces a lone surrogate by U+FFFD, which is itself a legal character.
        if (HasLoneSurrogate(value))
        {
            return "must be valid Unicode; it holds half of a surrogate pair";
        }

        if (length < minLength || length > maxLength)
        {
            return $"must have {minLength} to {maxLength} characters; it has {length}";
        }

        return minLength > 0 && string.IsNullOrWhiteSpace(value) ? "must not be blank" : null;
    }

    /// <summary>A user's text, cut and with control characters replaced, for a message.</summary>
    public static string Shown(string value)
    {
        var shown = new StringBuilder();
        foreach (Rune rune in value.EnumerateRunes().Take(40))
        {
            shown.Append(IsForbidden(rune) ? new Rune('?') : rune);
        }

        return shown.Length < value.Length ? shown.Append("...").ToString() : shown.ToString();
    }

    private static bool IsForbidden(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static bool HasLoneSurrogate(string value)
    {
        for (int i = 0; i < value.Length; i++)
        {
            if (char.IsHighSurrogate(value[i]) && i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(value[i]))
            {
                return true;
            }
        }

        return false;
    }
}
