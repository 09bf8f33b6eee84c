using System.CommandLine;
using System.Text.Json;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Parsing;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary>The options that every command has, and the frame in which every command runs.</summary>
internal sealed class GlobalOptions(CliTerminal terminal)
{
    /// <summary>Where the service is when nothing says otherwise.</summary>
    public const string DefaultUrl = "http://127.0.0.1:5080";

    /// <summary>Long enough for a POST that waits for a fresh inventory, short enough for a person.</summary>
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);

    private readonly Option<string?> _url = new("--url")
    {
        Description = $"Where the service is. Default: the variable SNAPSHOTAPI_URL, else {DefaultUrl}.",
        HelpName = "URL",
        Recursive = true,
    };

    private readonly Option<string?> _keyFile = new("--api-key-file")
    {
        Description = $"File that holds the API key, or a token, that says who asks. Default: the variable {ApiKeySource.KeyVariable}, which holds the key itself, "
            + $"else {ApiKeySource.FileVariable}, which names the file. There is no option for the key: everybody on a machine can read command lines.",
        HelpName = "FILE",
        Recursive = true,
    };

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Write exactly one JSON document to standard output: the service's answer, or its problem document. "
            + "Progress and notes go to standard error.",
        Recursive = true,
    };

    private readonly Option<TimeSpan?> _timeout = new("--timeout")
    {
        Description = "How long the service may be silent before the command gives up: seconds, or 90s, 5m. Default: 60s.",
        HelpName = "DURATION",
        Recursive = true,
        CustomParser = DurationArgument.Parse,
    };

    private readonly Option<bool> _noColor = new("--no-color") { Description = "Use no colours.", Recursive = true };

    /// <summary>Gives them to the root command and so to all.</summary>
    public void AddTo(Command root)
    {
        root.Add(_url);
        root.Add(_keyFile);
        root.Add(_json);
        root.Add(_timeout);
        root.Add(_noColor);
    }

    /// <summary>Runs the body of a command with a session and turns what it throws into words and an exit code.</summary>
    public async Task<int> RunAsync(
        ParseResult parsed, Func<CliSession, CancellationToken, Task<int>> body, CancellationToken cancellationToken)
    {
        string url = parsed.GetValue(_url) ?? terminal.Environment.GetValueOrDefault("SNAPSHOTAPI_URL") ?? DefaultUrl;
        if (!Uri.TryCreate(url, UriKind.Absolute, out Uri? service) || service.Scheme is not ("http" or "https"))
        {
            terminal.Error.WriteLine($"snapshotctl: '{TerminalText.Show(url)}' is not an http or https URL");
            return ExitCode.Usage;
        }

        if (!ApiKeySource.TryRead(parsed.GetValue(_keyFile), terminal.Environment, out string? key, out string? problem))
        {
            terminal.Error.WriteLine($"snapshotctl: {TerminalText.Show(problem)}");
            return ExitCode.Usage;
        }

        TimeSpan timeout = parsed.GetValue(_timeout) ?? DefaultTimeout;
        bool color = !parsed.GetValue(_noColor) && string.IsNullOrEmpty(terminal.Environment.GetValueOrDefault("NO_COLOR"));
        var client = new SnapshotClient(service, timeout, terminal.Time, key);
        using var session = new CliSession(terminal, client, parsed.GetValue(_json), color, timeout);
        try
        {
            return await body(session, cancellationToken).ConfigureAwait(false);
        }
        catch (ProblemException e)
        {
            ProblemView.Write(e, session);
            return e.ExitCode;
        }
        catch (ServiceUnreachableException e)
        {
            session.Note($"snapshotctl: {TerminalText.Show(e.Message)}");
            WriteProblem(session, "service_unreachable", "The service could not be reached", e.Message);
            return ExitCode.Unavailable;
        }
        catch (CommandFailedException e)
        {
            session.Note($"snapshotctl: {TerminalText.Show(e.Message)}");
            WriteProblem(session, e.Code, "The command failed", e.Message);
            return e.ExitCode;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            WriteProblem(session, "interrupted", "The command was interrupted", "the command was interrupted");
            return ExitCode.Interrupted;
        }
    }

    private static void WriteProblem(CliSession session, string code, string title, string detail)
    {
        if (session.Json)
        {
            var problem = new ProblemDocument { Code = code, Title = title, Detail = detail };
            session.WriteJson(JsonSerializer.SerializeToElement(problem, CliJson.Default.ProblemDocument));
        }
    }
}
