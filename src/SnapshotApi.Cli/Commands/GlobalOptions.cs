using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Parsing;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary>The options that every command has, and the frame in which every command runs.</summary>
internal sealed class GlobalOptions(CliTerminal terminal)
{
    /// <summary>Long enough for a POST that waits for a fresh inventory, short enough for a person.</summary>
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);

    private readonly Option<string?> _url = new("--url")
    {
        Description = "Where the service is: an http or https URL, or unix:PATH for a socket. Default: the variable "
            + $"SNAPSHOTAPI_URL, else unix:{ServiceAddress.UsualSocket} if you may use that, else "
            + $"{ServiceAddress.UsualUrl}.",
        HelpName = "URL",
        Recursive = true,
    };

    private readonly Option<string?> _keyFile = new("--api-key-file")
    {
        Description = "File that holds the API key, or a token. Default: the variable "
            + $"{ApiKeySource.KeyVariable}, which holds the key itself, else {ApiKeySource.FileVariable}, which names "
            + "the file. There is no option for the key: everybody on a machine can read command lines.",
        HelpName = "FILE",
        Recursive = true,
    };

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Write exactly one JSON document to standard output: the answer, or a problem document. "
            + "Progress and notes go to standard error.",
        Recursive = true,
    };

    private readonly Option<TimeSpan?> _timeout = new("--timeout")
    {
        Description = "How long the service may be silent before the command fails: seconds, or 90s, 5m. Default: 60s.",
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

    /// <summary>Runs a command with a session and turns what it throws into words and an exit status.</summary>
    /// <param name="needsKey">What is asked for is not for everybody.</param>
    public async Task<int> RunAsync(
        ParseResult parsed,
        Func<CliSession, CancellationToken, Task<int>> body,
        CancellationToken cancellationToken,
        bool needsKey = true)
    {
        bool json = parsed.GetValue(_json);
        int Fail(int exitCode, string code, string title, string detail)
        {
            terminal.Error.WriteLine($"snapshotctl: {TerminalText.Show(detail)}");
            ProblemView.WriteOwn(terminal, json, code, title, detail);
            return exitCode;
        }

        string? url = parsed.GetValue(_url) ?? terminal.Environment.GetValueOrDefault("SNAPSHOTAPI_URL");
        ServiceAddress? service = url is null ? null : ServiceAddress.Parse(url);
        if (url is not null && service is null)
        {
            return Fail(
                ExitCode.Usage,
                "invalid_url",
                "The URL is not valid",
                $"'{url}' is not an http or https URL, and not unix: with the path of a socket");
        }

        string? keyFile = parsed.GetValue(_keyFile);
        if (!ApiKeySource.TryRead(keyFile, terminal.Environment, out string? key, out string? problem))
        {
            return Fail(ExitCode.Usage, "invalid_key", "The API key can't be used", problem);
        }

        TimeSpan timeout = parsed.GetValue(_timeout) ?? DefaultTimeout;
        bool color = !parsed.GetValue(_noColor) && terminal.Environment.GetValueOrDefault("NO_COLOR") is null or "";
        service ??= await ServiceAddress
            .FindAsync(terminal.Sockets, key is not null || !needsKey, cancellationToken).ConfigureAwait(false);
        var client = new SnapshotClient(service, timeout, terminal.Time, key);
        using var session = new CliSession(terminal, client, json, color, timeout);
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
            return Fail(ExitCode.Unavailable, "service_unreachable", "The service could not be reached", e.Message);
        }
        catch (CommandFailedException e)
        {
            return Fail(e.ExitCode, e.Code, "The command failed", e.Message);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            ProblemView.WriteOwn(
                terminal, json, "interrupted", "The command was interrupted", "the command was interrupted");
            return ExitCode.Interrupted;
        }
    }
}

/// <summary>Where the API key comes from: a file or the environment, never the command line.</summary>
internal static class ApiKeySource
{
    /// <summary>Variable that holds the key.</summary>
    public const string KeyVariable = "SNAPSHOTCTL_API_KEY";

    /// <summary>Variable that names a file with the key.</summary>
    public const string FileVariable = "SNAPSHOTCTL_API_KEY_FILE";

    // Tokens of some providers have several KiB; Kestrel takes 32 KiB of headers.
    private const int MaxLength = 16 << 10;

    /// <summary>Reads the key.</summary>
    /// <param name="file">The file that the command line names; null for none.</param>
    /// <param name="environment">Environment variables.</param>
    /// <param name="key">The key; null if there is none.</param>
    /// <param name="problem">Why it can't be used; it does not hold the key.</param>
    public static bool TryRead(
        string? file,
        IReadOnlyDictionary<string, string> environment,
        out string? key,
        [NotNullWhen(false)] out string? problem)
    {
        (key, problem) = (null, null);
        if (file is null && environment.GetValueOrDefault(KeyVariable) is { Length: > 0 } text)
        {
            return TryTake(text, $"the variable {KeyVariable}", out key, out problem);
        }

        file ??= environment.GetValueOrDefault(FileVariable);
        if (string.IsNullOrEmpty(file))
        {
            return true;
        }

        try
        {
            using var reader = new StreamReader(file);
            var buffer = new char[MaxLength + 1];
            int length = reader.ReadBlock(buffer);
            return TryTake(new string(buffer, 0, length).TrimEnd('\r', '\n'), $"the file {file}", out key, out problem);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = $"the API key can't be read: {e.Message}";
            return false;
        }
    }

    private static bool TryTake(
        string text, string source, out string? key, [NotNullWhen(false)] out string? problem)
    {
        bool isKey = text.Length is > 0 and <= MaxLength && text.All(c => c is > ' ' and <= '~');
        key = isKey ? text : null;
        problem = isKey ? null : $"{source} holds no API key: one line of visible ASCII characters";
        return isKey;
    }
}

/// <summary>A command with what its manual page says beyond names and options.</summary>
internal abstract class CliCommand(string name, string description) : Command(name, description)
{
    /// <summary>Paragraphs of the description.</summary>
    public IReadOnlyList<string> Details { get; protected init; } = [];

    /// <summary>Command lines, and what each does.</summary>
    public IReadOnlyList<(string Line, string Meaning)> Examples { get; protected init; } = [];

    /// <summary>Makes the command run with a session.</summary>
    protected void Run(GlobalOptions global, Func<ParseResult, CliSession, CancellationToken, Task<int>> body) =>
        SetAction((parsed, token) => global.RunAsync(parsed, (session, t) => body(parsed, session, t), token));

    /// <summary>An option with a text.</summary>
    protected static Option<string?> Text(string name, string value, string description) =>
        new(name) { Description = description, HelpName = value };

    /// <summary>An option without a value.</summary>
    protected static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    /// <summary>An argument that must be given.</summary>
    protected static Argument<string> Required(string name, string description)
    {
        var argument = new Argument<string>(name) { Description = description, HelpName = name };
        argument.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: "" or "." or ".." }])
            {
                result.AddError($"'{result.Tokens[0].Value}' can't be the name of anything");
            }
        });
        return argument;
    }
}
