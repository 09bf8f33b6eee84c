using System.Globalization;
using System.Text;

namespace SnapshotApi.Cli.Rendering;

/// <summary>Makes text that others wrote (names, metadata, error messages) safe to print on a terminal.</summary>
internal static class TerminalText
{
    /// <summary>
    /// Shows control characters (C0, DEL, C1), format characters (bidirectional, zero-width), line separators and
    /// lone surrogates as escapes, so that a name can neither move the cursor nor look like another one.
    /// </summary>
    public static string Show(string? text)
    {
        if (text is null)
        {
            return "";
        }

        StringBuilder? shown = null;
        int index = 0;
        while (index < text.Length)
        {
            bool whole = Rune.TryGetRuneAt(text, index, out Rune rune);
            int length = whole ? rune.Utf16SequenceLength : 1;
            if (!whole || IsUnsafe(rune))
            {
                shown ??= new StringBuilder(text, 0, index, text.Length + 16);
                shown.Append(Escape(whole ? rune.Value : text[index]));
            }
            else
            {
                shown?.Append(text, index, length);
            }

            index += length;
        }

        return shown?.ToString() ?? text;
    }

    private static bool IsUnsafe(Rune rune) => Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.Control or
        UnicodeCategory.Format or
        UnicodeCategory.LineSeparator or
        UnicodeCategory.ParagraphSeparator or
        UnicodeCategory.PrivateUse or
        UnicodeCategory.OtherNotAssigned;

    private static string Escape(int value) => value switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        < 0x100 => $"\\x{value:x2}",
        _ => $"\\u{{{value:x}}}",
    };
}

/// <summary>Sizes, rates and times for people.</summary>
internal static class UnitText
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary>A size in IEC units with at most one decimal, <c>-</c> for null.</summary>
    public static string Size(long? bytes)
    {
        if (bytes is not { } size)
        {
            return "-";
        }

        double value = size;
        int unit = 0;
        while (value >= 1023.95 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        string format = unit == 0 || value >= 99.95 ? "0" : "0.0";
        return value.ToString(format, CultureInfo.InvariantCulture) + " " + Units[unit];
    }

    /// <summary>A rate; empty for null.</summary>
    public static string Rate(long? bytesPerSecond) => bytesPerSecond is null ? "" : Size(bytesPerSecond) + "/s";

    /// <summary>A span of time as <c>m:ss</c> or <c>h:mm:ss</c>.</summary>
    public static string Clock(TimeSpan span)
    {
        long seconds = Math.Max(0, (long)Math.Ceiling(span.TotalSeconds));
        return seconds < 3600
            ? string.Create(CultureInfo.InvariantCulture, $"{seconds / 60}:{seconds % 60:00}")
            : string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600}:{seconds / 60 % 60:00}:{seconds % 60:00}");
    }

    /// <summary>Milliseconds as <c>340 ms</c> or <c>2.1 s</c>.</summary>
    public static string Milliseconds(long milliseconds) => milliseconds < 1000
        ? string.Create(CultureInfo.InvariantCulture, $"{milliseconds} ms")
        : (milliseconds / 1000.0).ToString("0.0", CultureInfo.InvariantCulture) + " s";

    /// <summary>An instant, UTC, to the second; <c>-</c> for null.</summary>
    public static string Instant(DateTimeOffset? at) =>
        at?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "-";

    /// <summary>A percentage rounded down, so that 100 means all of it.</summary>
    public static string Percent(double percent) =>
        Math.Floor(Math.Clamp(percent, 0, 100)).ToString("0", CultureInfo.InvariantCulture) + "%";
}
