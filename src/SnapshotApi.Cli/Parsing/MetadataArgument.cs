using System.CommandLine.Parsing;

namespace SnapshotApi.Cli.Parsing;

/// <summary>Pairs on the command line: <c>--metadata purpose=backup --metadata owner=eva</c>.</summary>
internal static class MetadataArgument
{
    /// <summary>For <c>CustomParser</c> of an option: every pair, or an error for each that is none.</summary>
    public static Dictionary<string, string>? Parse(ArgumentResult result)
    {
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (Token token in result.Tokens)
        {
            int equals = token.Value.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
            {
                result.AddError($"'{token.Value}' is no KEY=VALUE");
            }
            else if (!pairs.TryAdd(token.Value[..equals], token.Value[(equals + 1)..]))
            {
                result.AddError($"the key '{token.Value[..equals]}' is given twice");
            }
        }

        return pairs;
    }
}
