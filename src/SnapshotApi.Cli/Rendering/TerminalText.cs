using System.Globalization;
using System.Text;

namespace SnapshotApi.Cli.Rendering;

/// <summary>Makes text that others wrote (names, metadata, error messages) safe to print on a terminal.</summary>
internal static class TerminalText
{
    /// <summary>
    /// Shows control characters (C0, DEL, C1), format characters (bidirectional overrides, zero-width ones), line separators and
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
