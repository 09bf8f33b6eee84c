using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using SnapshotApi.Cli.Http;

namespace SnapshotApi.Cli.Commands;

/// <summary>
/// Says what may follow on a command line, a line each: <c>snapshotctl [suggest:POSITION] LINE</c>, which the shells'
/// completions call. Names of servers and ids are asked of the service.
/// </summary>
internal sealed class Completion(RootCommand root, GlobalOptions global, CliTerminal terminal)
{
    private const string Directive = "[suggest";

    // A person has pressed a key and waits.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    // More than fit on a screen help nobody.
    private const int MostNames = 100;

    /// <summary>The command line asks for completions.</summary>
    public static bool IsAsked(IReadOnlyList<string> args) =>
        args.Count > 0 && args[0].StartsWith(Directive, StringComparison.Ordinal) && args[0].EndsWith(']');

    /// <summary>Writes what may follow.</summary>
    /// <param name="args">The directive, and the line as it is typed, with the program's name.</param>
    public async Task<int> RunAsync(IReadOnlyList<string> args, CancellationToken cancellationToken)
    {
        string line = args.Count > 1 ? args[1] : string.Empty;
        string position = args[0][Directive.Length..].Trim(':', ']');
        int length = int.TryParse(position, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? Math.Min(number, line.Length)
            : line.Length;
        string[] parts = line[..length].Split(' ', 2);
        string typed = parts.Length > 1 ? parts[1] : string.Empty;
        int start = typed.LastIndexOf(' ') + 1;
        string word = typed[start..];

        // Options only where one has been begun.
        bool wantsOption = word.StartsWith('-');
        string[] found =
        [
            .. root.Parse(typed).GetCompletions(typed.Length).Select(c => c.InsertText ?? c.Label)
                .Where(c => wantsOption ? c.StartsWith('-') : !c.StartsWith('-') && !c.StartsWith('/')),
        ];
        if (found.Length == 0 && !wantsOption)
        {
            found = await AskAsync(root.Parse(typed[..start]), word, cancellationToken).ConfigureAwait(false);
        }

        foreach (string completion in found.Where(f => f.Length > 0).Distinct())
        {
            await terminal.Output.WriteLineAsync(completion).ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }

    private async Task<string[]> AskAsync(ParseResult before, string word, CancellationToken cancellationToken)
    {
        if (ListOf(before) is not var (path, member))
        {
            return [];
        }

        using var patience = new CancellationTokenSource(Patience, terminal.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        string[] found = [];
        await global.RunAsync(
            before,
            async (session, token) =>
            {
                IReadOnlyList<JsonElement> items = await Listing
                    .ReadAsync(
                        session.Client,
                        path,
                        MostNames,
                        e => Name(e, member).StartsWith(word, StringComparison.Ordinal),
                        token)
                    .ConfigureAwait(false);
                found = [.. items.Select(e => Name(e, member))];
                return ExitCode.Ok;
            },
            either.Token).ConfigureAwait(false);
        return found;
    }

    // What the next argument names: a list of the service, and the member that is typed.
    private static (string Path, string Member)? ListOf(ParseResult before)
    {
        CommandResult command = before.CommandResult;
        bool isValue = command.Children.OfType<OptionResult>().Any(o =>
            o.IdentifierToken is { } name && before.Tokens is [.., var last] && name.Equals(last)
            && o.Option.Arity.MinimumNumberOfValues > 0);
        int typed = command.Children.OfType<ArgumentResult>().Sum(a => a.Tokens.Count);
        Argument? next = isValue ? null : command.Command.Arguments.ElementAtOrDefault(typed);
        return (next?.HelpName, command.Command.Parents.FirstOrDefault()?.Name) switch
        {
            ("SERVER", _) => ("servers", "name"),
            ("ID", "image") => ("images", "id"),
            ("ID", _) => ("jobs", "id"),
            _ => null,
        };
    }

    // A name that a shell would take apart, or execute, is given as an id; what is neither is not given.
    private static string Name(JsonElement item, string member)
    {
        string name = item.GetProperty(member).GetString() ?? string.Empty;
        return IsPlain(name) ? name
            : item.GetProperty("id").GetString() is { } id && IsPlain(id) ? id
            : string.Empty;
    }

    private static bool IsPlain(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || "._-+@:".Contains(c, StringComparison.Ordinal));
}
