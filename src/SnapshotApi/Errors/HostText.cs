using System.Text;
using System.Text.RegularExpressions;

namespace SnapshotApi.Errors;

/// <summary>
/// Removes the paths of the host from messages of libvirt, QEMU and its tools: a path becomes the target of its disk,
/// or <see cref="Placeholder"/>. URLs, fractions and pairs of words such as <c>and/or</c> stay.
/// </summary>
internal static partial class HostText
{
    /// <summary>Stands where a path was.</summary>
    public const string Placeholder = "<path>";

    private const string JsonName = "json:{";

    private const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;

    // May precede a path; any other character before a slash makes it part of a word.
    private const string Openers = " \t\r\n'\"`\u2018\u201c([{<=:,;|>@";

    /// <summary>Replaces the paths in a text.</summary>
    /// <param name="text">A message, of one line or several.</param>
    /// <param name="targetsByPath">The targets of disks by the paths of their layers, if known.</param>
    public static string Clean(string text, IReadOnlyDictionary<string, string>? targetsByPath = null)
    {
        var cleaned = new StringBuilder(text.Length);
        int at = 0;
        while (at < text.Length)
        {
            (int end, string? instead) = Next(text, at, targetsByPath);
            cleaned.Append(instead ?? text[at..end]);
            at = end;
        }

        return cleaned.ToString();
    }

    // The end of what begins here, and its replacement; null: it stays.
    private static (int End, string? Instead) Next(string text, int at, IReadOnlyDictionary<string, string>? targets)
    {
        if (string.CompareOrdinal(text, at, JsonName, 0, JsonName.Length) == 0)
        {
            int close = EndOfJson(text, at + JsonName.Length - 1);
            return (close, TargetWithin(text[at..close], targets) ?? Placeholder);
        }

        bool isWordStart = at == 0 || !IsWord(text[at - 1]);
        if (isWordStart && Url().Match(text, at) is { Success: true } url)
        {
            return (at + url.Length, CleanUrl(url));
        }

        if (at == 0 && CutPath().IsMatch(text))
        {
            return (EndOfBare(text, 0), Placeholder);
        }

        if (!IsPathStart(text, at))
        {
            return (at + 1, null);
        }

        char? quote = QuoteAround(text, at);
        int end = quote is { } open ? EndOfQuoted(text, at, open) : EndOfBare(text, at);
        return targets is null
            ? (end, Placeholder)
            : Known(text, at, end, isQuoted: quote is not null, targets) ?? (end, Placeholder);
    }

    private static bool IsPathStart(string text, int at)
    {
        if (at > 0 && !Openers.Contains(text[at - 1], StringComparison.Ordinal))
        {
            return false;
        }

        ReadOnlySpan<char> rest = text.AsSpan(at);
        int root = rest.StartsWith("../") ? 2 : rest.StartsWith("~/") ? 1 : 0;
        return rest.Length > root + 1
            && rest[root] == '/'
            && !char.IsWhiteSpace(rest[root + 1])
            && !NoPath().IsMatch(text, at)
            && !(at > 0 && text[at - 1] == '<' && ClosingTag().IsMatch(text, at));
    }

    // 'PATH', and also 'file:PATH' and "filename=PATH": a path in quotes may have blanks.
    private static char? QuoteAround(string text, int at)
    {
        int before = at - 1;
        if (before >= 0 && text[before] is ':' or '=')
        {
            do
            {
                before--;
            }
            while (before >= 0 && (IsWord(text[before]) || text[before] is '.' or '+' or '-' or '='));
        }

        return before < 0
            ? null
            : text[before] switch
            {
                '\u2018' => '\u2019',
                '\u201c' => '\u201d',
                '\'' or '"' or '`' => text[before],
                _ => null,
            };
    }

    // A quote within a word belongs to the path. A missing one was cut off with the rest of the line.
    private static int EndOfQuoted(string text, int at, char quote)
    {
        int end = at;
        for (; end < text.Length && text[end] != '\n'; end++)
        {
            bool isEscaped = text[end - 1] == '\\';
            if (text[end] == quote && !isEscaped && (end + 1 == text.Length || !IsWord(text[end + 1])))
            {
                break;
            }
        }

        return end;
    }

    // Without quotes a blank ends a path, unless what follows can only be the rest of it.
    private static int EndOfBare(string text, int at)
    {
        int end = EndOfToken(text, at);
        Match rest = RestOfPath().Match(text, end);
        if (!rest.Success || text[end] == ':')
        {
            return end;
        }

        bool isFileOfTool = at == 0 || text[at - 1] == '\n' || text.AsSpan(0, at).EndsWith(": ");
        string last = rest.Groups["last"].Value;
        bool isPath = last.Contains('/', StringComparison.Ordinal) && !WordPair().IsMatch(last);
        return isFileOfTool || isPath || FileName().IsMatch(last) ? end + rest.Groups["rest"].Length : end;
    }

    private static int EndOfToken(string text, int at)
    {
        int depth = 0;
        int end = at;
        for (; end < text.Length; end++)
        {
            char c = text[end];
            char next = end + 1 < text.Length ? text[end + 1] : ' ';
            depth += c is '(' or '[' or '{' ? 1 : c is ')' or ']' or '}' ? -1 : 0;
            bool isOver = char.IsWhiteSpace(c)
                || depth < 0
                || c is '"' or '`' or '<' or '>' or '\u2019' or '\u201d'
                || (c == '\'' && !IsWord(next))
                || (c is ':' or ';' or ',' && (char.IsWhiteSpace(next) || next is '"' or '\''))
                || (c == ',' && Option().IsMatch(text, end));
            if (isOver)
            {
                break;
            }
        }

        while (end > at + 1 && text[end - 1] is '.' or '?' or '!')
        {
            end--;
        }

        return end;
    }

    private static int EndOfJson(string text, int brace)
    {
        int depth = 0;
        bool isText = false;
        for (int i = brace; i < text.Length; i++)
        {
            char c = text[i];
            if (c == '"' && text[i - 1] != '\\')
            {
                isText = !isText;
            }

            depth += isText ? 0 : c == '{' ? 1 : c == '}' ? -1 : 0;
            if (depth == 0)
            {
                return i + 1;
            }
        }

        return text.Length;
    }

    private static (int End, string Instead)? Known(
        string text, int at, int end, bool isQuoted, IReadOnlyDictionary<string, string> targets)
    {
        if (targets.TryGetValue(text[at..end], out string? exact))
        {
            return (end, exact);
        }

        bool IsHere(string path) =>
            string.CompareOrdinal(text, at, path, 0, path.Length) == 0 && IsEndOfPath(text, at + path.Length);
        string? path = isQuoted ? null : targets.Keys.Where(IsHere).MaxBy(p => p.Length);
        return path is null ? null : (at + path.Length, targets[path]);
    }

    private static bool IsEndOfPath(string text, int at) =>
        at >= text.Length
        || char.IsWhiteSpace(text[at])
        || text[at] is ',' or ';' or ':' or ')' or ']' or '\'' or '"' or '?'
        || (text[at] == '.' && (at + 1 == text.Length || char.IsWhiteSpace(text[at + 1])));

    private static string? TargetWithin(string json, IReadOnlyDictionary<string, string>? targets)
    {
        bool IsNamed(string path) => json.Contains($"\"{path}\"", StringComparison.Ordinal);
        string? path = targets?.Keys.Where(IsNamed).MaxBy(p => p.Length);
        return path is null ? null : targets![path];
    }

    private static string CleanUrl(Match url) => url.Groups["scheme"].Value is "file"
        ? Placeholder
        : UrlSocket().Replace(url.Value, "${name}" + Placeholder);

    private static bool IsWord(char c) => char.IsLetterOrDigit(c) || c == '_';

    [GeneratedRegex(@"\G(?<scheme>[A-Za-z][A-Za-z0-9+.-]*)://[^\s'""<>)\]]*", Options)]
    private static partial Regex Url();

    // nbd+unix:///EXPORT?socket=PATH
    [GeneratedRegex(@"(?<name>[?&][A-Za-z0-9_.-]+=)/[^&]*", Options)]
    private static partial Regex UrlSocket();

    // A message that was cut at its front begins in the middle of a path.
    [GeneratedRegex(@"^[\w.+@-]+/([\w.+@-]+/|[\w+@-]*\.[A-Za-z])", Options)]
    private static partial Regex CutPath();

    // The length of a network prefix, or the end of an XML element.
    [GeneratedRegex(@"\G/(\d+\b(?![./])|>)", Options)]
    private static partial Regex NoPath();

    [GeneratedRegex(@"\G/[\w:.-]+>", Options)]
    private static partial Regex ClosingTag();

    [GeneratedRegex(@"\G,[A-Za-z][\w.-]*=", Options)]
    private static partial Regex Option();

    [GeneratedRegex(
        @"\G(?<rest>[^:;,'""\n/][^:;,'""\n]*?(?<last>[^\s:;,'""]*[^\s:;,'""()\[\]]))(?=[)\]]?:(\s|$))", Options)]
    private static partial Regex RestOfPath();

    [GeneratedRegex(@"\.[A-Za-z][A-Za-z0-9]{0,7}$", Options)]
    private static partial Regex FileName();

    // and/or, 1/2, n/a, I/O, read/write
    [GeneratedRegex(@"^([A-Za-z]+/[A-Za-z]+|\d+/\d+)$", Options)]
    private static partial Regex WordPair();
}
