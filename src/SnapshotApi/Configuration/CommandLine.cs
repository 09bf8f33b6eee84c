namespace SnapshotApi.Configuration;

/// <summary>What the command line asks for.</summary>
/// <param name="Answer">Text for standard output, after which the process exits with 0; null: run.</param>
/// <param name="Error">What is wrong, after which the process exits with 2; null: nothing.</param>
/// <param name="HostArguments">Configuration keys for the host.</param>
internal sealed record CommandLine(string? Answer, string? Error, string[] HostArguments)
{
    // Keys of the host and of Serilog and Kestrel, besides our own.
    private static readonly string[] HostKeys =
    [
        "environment", "contentRoot", "applicationName", "webroot", "AllowedHosts", "Logging", "Serilog", "Kestrel",
        "ConnectionStrings", "hostBuilder",
    ];

    /// <summary>The verb <c>setup</c> is to be run, not the service.</summary>
    public bool IsSetup { get; private init; }

    /// <summary>What setup changes, units that run take up at once.</summary>
    public bool MayRestart { get; private init; }

    /// <summary>There is nothing to run: print the answer or the error, then exit.</summary>
    public bool IsAnswered => Answer is not null || Error is not null;

    /// <summary>appsettings.json is read beside the executable, not in the directory where it is started.</summary>
    public WebApplicationOptions HostOptions => new()
    {
        Args = HostArguments,
        ContentRootPath = HostArguments.Any(a => a.StartsWith("--contentRoot", StringComparison.OrdinalIgnoreCase))
            ? null
            : AppContext.BaseDirectory,
    };

    public static CommandLine Parse(IReadOnlyList<string> arguments)
    {
        if (arguments is ["setup", ..])
        {
            return ParseSetup([.. arguments.Skip(1)]);
        }

        string? answer = arguments.Any(a => a is "--help" or "-h" or "help") ? HelpText.Page
            : arguments.Contains("--version") ? HelpText.Version
            : arguments.Contains("--new-api-key") ? ApiKeyHash.NewKeyText()
            : null;
        if (answer is not null)
        {
            return new CommandLine(answer, null, []);
        }

        for (int i = 0; i < arguments.Count; i++)
        {
            string argument = arguments[i];
            if (!argument.StartsWith("--", StringComparison.Ordinal) || !IsKnown(argument[2..].Split('=')[0]))
            {
                return new CommandLine(null, $"'{argument}' is not known; see snapshotapi --help", []);
            }

            // The value is the next argument unless it follows an equals sign.
            if (!argument.Contains('=') && ++i == arguments.Count)
            {
                return new CommandLine(null, $"'{argument}' needs a value; see snapshotapi --help", []);
            }
        }

        return new CommandLine(null, null, [.. arguments]);
    }

    private static CommandLine ParseSetup(string[] options) =>
        options.Any(o => o is "--help" or "-h") ? new CommandLine(SetupHelp.Page, null, [])
        : Array.Find(options, o => o != "--no-restart") is { } unknown
            ? new CommandLine(null, $"'{unknown}' is not known; see snapshotapi setup --help", [])
        : new CommandLine(null, null, []) { IsSetup = true, MayRestart = options.Length == 0 };

    private static bool IsKnown(string key) =>
        ConfigurationKeys.IsKnown(key) || HostKeys.Contains(key.Split(':')[0], StringComparer.OrdinalIgnoreCase);
}
