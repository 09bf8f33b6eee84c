using System.CommandLine.Parsing;
using System.Globalization;

namespace SnapshotApi.Cli.Parsing;

/// <summary>Spans of time on the command line: <c>90</c> (seconds), <c>45m</c>, <c>1h30m</c>, <c>1d</c>.</summary>
internal static class DurationArgument
{
    /// <summary>Reads a span of at least one second and at most 365 days, in whole seconds.</summary>
    public static bool TryParse(string text, out TimeSpan span)
    {
        span = TimeSpan.Zero;
        long total = 0;
        int smallest = int.MaxValue;
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        while (!rest.IsEmpty)
        {
            int digits = rest.IndexOfAnyExceptInRange('0', '9');
            ReadOnlySpan<char> number = digits < 0 ? rest : rest[..digits];
            int unit = digits < 0 ? 1 : SecondsOf(rest[digits]);

            // Units come once each, from large to small: '30m1h' is more likely a slip than a wish.
            if (unit == 0 || unit >= smallest
                || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int count))
            {
                return false;
            }

            total += (long)count * unit;
            smallest = unit;
            rest = digits < 0 ? [] : rest[(digits + 1)..];
        }

        if (total is < 1 or > 365L * 86400)
        {
            return false;
        }

        span = TimeSpan.FromSeconds(total);
        return true;
    }

    /// <summary>For <c>CustomParser</c> of an option.</summary>
    public static TimeSpan? Parse(ArgumentResult result)
    {
        if (TryParse(result.Tokens[0].Value, out TimeSpan span))
        {
            return span;
        }

        result.AddError(
            $"'{result.Tokens[0].Value}' is not a span of time: "
            + "give seconds, or a number with s, m, h or d, such as 90s or 1h30m");
        return null;
    }

    private static int SecondsOf(char unit) => unit switch
    {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86400,
        _ => 0,
    };
}
