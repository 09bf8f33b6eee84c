using SnapshotApi.Cli.Http;

namespace SnapshotApi.Cli;

/// <summary>What a command uses of the world outside: streams, environment, clock. Tests give their own.</summary>
/// <param name="Output">Standard output: results only.</param>
/// <param name="Error">Standard error: progress, notes and errors.</param>
internal sealed record CliTerminal(TextWriter Output, TextWriter Error)
{
    /// <summary>Standard output is a terminal.</summary>
    public bool OutputIsTerminal { get; init; }

    /// <summary>Standard error is a terminal that understands cursor control.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Width of the terminal in columns.</summary>
    public int Width { get; init; } = 100;

    /// <summary>Environment variables.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Where the service's socket may be when nothing says otherwise.</summary>
    public IReadOnlyList<string> Sockets { get; init; } = [ServiceAddress.UsualSocket, ServiceAddress.ApiSocket];

    /// <summary>Clock for rates, spacing and time-outs.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The terminal of this process.</summary>
    public static CliTerminal OfProcess()
    {
        // The whole table is read once, here: a client has no options file, its variables are documented in --help.
        var environment = System.Environment.GetEnvironmentVariables()
            .Cast<System.Collections.DictionaryEntry>()
            .ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "", StringComparer.Ordinal);
        bool dumb = environment.GetValueOrDefault("TERM") is null or "" or "dumb";
        return new CliTerminal(Console.Out, Console.Error)
        {
            OutputIsTerminal = !Console.IsOutputRedirected && !dumb,
            ErrorIsTerminal = !Console.IsErrorRedirected && !dumb,
            Width = WidthOfConsole(),
            Environment = environment,
        };
    }

    private static int WidthOfConsole()
    {
        try
        {
            return Console.WindowWidth is > 20 and var width ? width : 100;
        }
        catch (IOException)
        {
            return 100;
        }
    }
}
