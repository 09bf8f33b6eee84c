namespace SnapshotApi.Configuration;

/// <summary>What the command line asks for.</summary>
/// <param name="Answer">Text for standard output, after which the process ends with 0; null: run.</param>
/// <param name="Error">What is wrong, after which the process ends with 2; null: nothing.</param>
/// <param name="HostArguments">Configuration keys for the host.</param>
internal sealed record CommandLine(string? Answer, string? Error, string[] HostArguments)
{
    // Keys of the host and of Serilog and Kestrel, besides our own.
    private static readonly string[] HostKeys =
        ["environment", "contentRoot", "applicationName", "webroot", "AllowedHosts", "Logging", "Serilog", "Kestrel", "ConnectionStrings", "hostBuilder"];

    /// <summary>There is nothing to run: print the answer or the error, and end.</summary>
    public bool IsAnswered => Answer is not null || Error is not null;

    /// <summary>
    /// How the host begins. appsettings.json is read beside the program, never from whatever directory it is started in.
    /// </summary>
    public WebApplicationOptions HostOptions => new()
    {
        Args = HostArguments,
        ContentRootPath = HostArguments.Any(a => a.StartsWith("--contentRoot", StringComparison.OrdinalIgnoreCase))
            ? null
            : AppContext.BaseDirectory,
    };

    /// <summary>Reads the arguments of the process.</summary>
    public static CommandLine Parse(IReadOnlyList<string> arguments)
    {
        if (arguments.Any(a => a is "--help" or "-h" or "help"))
        {
            return new CommandLine(HelpText.Page, null, []);
        }

        if (arguments.Contains("--version"))
        {
            return new CommandLine(HelpText.Version, null, []);
        }

        if (arguments.Contains("--new-api-key"))
        {
            return new CommandLine(ApiKeyHash.NewKeyText(), null, []);
        }

        for (int i = 0; i < arguments.Count; i++)
        {
            string argument = arguments[i];
            if (!argument.StartsWith("--", StringComparison.Ordinal) || !IsKnown(argument[2..].Split('=')[0]))
            {
                return new CommandLine(null, $"'{argument}' is not known; see snapshotapi --help", []);
            }

            // The value is in the next argument unless it stands behind an equals sign.
            if (!argument.Contains('=') && ++i == arguments.Count)
            {
                return new CommandLine(null, $"'{argument}' needs a value; see snapshotapi --help", []);
            }
        }

        return new CommandLine(null, null, [.. arguments]);
    }

    private static bool IsKnown(string key) =>
        ConfigurationKeys.IsKnown(key) || HostKeys.Contains(key.Split(':')[0], StringComparer.OrdinalIgnoreCase);
}
