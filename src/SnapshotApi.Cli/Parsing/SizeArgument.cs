using System.CommandLine.Parsing;
using System.Globalization;

namespace SnapshotApi.Cli.Parsing;

/// <summary>Sizes on the command line: <c>50M</c>, <c>1.5GiB</c>, <c>4096</c>. Always powers of 1024.</summary>
internal static class SizeArgument
{
    /// <summary>Reads a size in bytes, at least 1.</summary>
    /// <returns>False when the text is none, or too large for 63 bits.</returns>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        if (rest.EndsWith("iB", StringComparison.OrdinalIgnoreCase))
        {
            rest = rest[..^2];
        }
        else if (rest.EndsWith("B", StringComparison.OrdinalIgnoreCase))
        {
            rest = rest[..^1];
        }

        int power = rest.IsEmpty ? -1 : "KMGTP".IndexOf(char.ToUpperInvariant(rest[^1]), StringComparison.Ordinal);
        if (power >= 0)
        {
            rest = rest[..^1];
        }

        if (!decimal.TryParse(rest, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number)
            || number > 1L << 52)
        {
            return false;
        }

        decimal value = decimal.Floor(number * (1L << (10 * (power + 1))));
        if (value is < 1 or > long.MaxValue)
        {
            return false;
        }

        bytes = (long)value;
        return true;
    }

    /// <summary>For <c>CustomParser</c> of an option.</summary>
    public static long? Parse(ArgumentResult result)
    {
        if (TryParse(result.Tokens[0].Value, out long bytes))
        {
            return bytes;
        }

        result.AddError(
            $"'{result.Tokens[0].Value}' is not a size: "
            + "give bytes, or a number with K, M, G or T (powers of 1024), such as 50M");
        return null;
    }
}
