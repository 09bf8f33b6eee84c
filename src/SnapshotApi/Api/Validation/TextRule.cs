using System.Globalization;
using System.Text;

namespace SnapshotApi.Api.Validation;

/// <summary>What text of a user may be: text that a log, a terminal, a database and a store all take as it is.</summary>
internal static class TextRule
{
    /// <summary>What is wrong with a text; null when nothing is.</summary>
    /// <param name="value">The text.</param>
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

        // EnumerateRunes shows a lone surrogate as U+FFFD, which is itself a legal character.
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

    /// <summary>A text of a user, short enough and harmless enough to be repeated in a message.</summary>
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
