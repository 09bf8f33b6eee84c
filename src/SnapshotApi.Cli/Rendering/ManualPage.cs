using System.CommandLine;
using System.CommandLine.Invocation;
using SnapshotApi.Cli.Commands;

namespace SnapshotApi.Cli.Rendering;

/// <summary><c>--help</c> in the form and order of a manual page.</summary>
internal static class ManualPage
{
    private const string Indent = "    ";

    /// <summary>Writes the page of a command.</summary>
    public static void Write(Command command, TextWriter output, int width)
    {
        int columns = Math.Clamp(width, 40, 100);
        string name = FullName(command);
        Section(output, "NAME", columns, $"{name} - {command.Description}");
        Section(output, "SYNOPSIS", columns, Synopsis(command, name));
        if (command is CliCommand { Details.Count: > 0 } detailed)
        {
            Section(output, "DESCRIPTION", columns, [.. detailed.Details]);
        }

        Terms(output, "COMMANDS", columns, command.Subcommands.Select(c => (Usage(c), c.Description)));
        Terms(output, "ARGUMENTS", columns, command.Arguments.Select(a => (a.HelpName ?? a.Name, a.Description)));
        Terms(output, "OPTIONS", columns, command.Options.Where(o => !o.Recursive).Select(Describe));
        Terms(output, "COMMON OPTIONS", columns, Recursive(command).Select(Describe));
        if (command is CliCommand { Examples.Count: > 0 } withExamples)
        {
            output.WriteLine("EXAMPLES");
            foreach ((string line, string meaning) in withExamples.Examples)
            {
                Wrap(output, meaning, columns, Indent);
                output.WriteLine($"{Indent}{Indent}$ {line}");
            }

            output.WriteLine();
        }

        Terms(output, "EXIT STATUS", columns, ExitCode.All.Select(e => (e.Code.ToString(), (string?)e.Meaning)));
        Terms(output, "ENVIRONMENT", columns,
        [
            ("SNAPSHOTAPI_URL", "Where the service is, when --url is not given."),
            (ApiKeySource.KeyVariable, "The API key or token, when --api-key-file is not given."),
            (ApiKeySource.FileVariable, $"File with the API key, when {ApiKeySource.KeyVariable} is not given either."),
            ("NO_COLOR", "When set to anything, no colours are used."),
        ]);
    }

    /// <summary>The command with its parents, as it is typed.</summary>
    public static string FullName(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent
            ? $"{FullName(parent)} {command.Name}"
            : "snapshotctl";

    private static string Synopsis(Command command, string name) => command.Subcommands.Count > 0
        ? $"{name} COMMAND [ARGUMENTS] [OPTIONS]"
        : $"{name}{Arguments(command)} [OPTIONS]";

    private static string Usage(Command command) =>
        command.Name + (command.Subcommands.Count > 0 ? " COMMAND" : Arguments(command));

    private static string Arguments(Command command) => string.Concat(command.Arguments
        .Select(a => (Name: a.HelpName ?? a.Name, IsRequired: a.Arity.MinimumNumberOfValues > 0))
        .Select(a => a.IsRequired ? $" {a.Name}" : $" [{a.Name}]"));

    private static IEnumerable<Option> Recursive(Command command)
    {
        for (Command? at = command; at is not null; at = at.Parents.OfType<Command>().FirstOrDefault())
        {
            foreach (Option option in at.Options.Where(o => o.Recursive))
            {
                yield return option;
            }
        }
    }

    private static (string Term, string? Text) Describe(Option option)
    {
        IEnumerable<string> names = option.Aliases.Where(a => a.StartsWith('-')).Append(option.Name);
        string term = string.Join(", ", names.OrderBy(n => n.Length));
        bool isFlag = option.ValueType == typeof(bool) || option.ValueType == typeof(void);
        string value = option.HelpName ?? option.Name.TrimStart('-').ToUpperInvariant();
        return (isFlag ? term : $"{term} {value}", option.Description);
    }

    private static void Section(TextWriter output, string title, int columns, params string[] paragraphs)
    {
        output.WriteLine(title);
        foreach (string paragraph in paragraphs)
        {
            Wrap(output, paragraph, columns, Indent);
        }

        output.WriteLine();
    }

    private static void Terms(
        TextWriter output, string title, int columns, IEnumerable<(string Term, string? Text)> terms)
    {
        List<(string Term, string? Text)> list = [.. terms];
        if (list.Count == 0)
        {
            return;
        }

        output.WriteLine(title);
        foreach ((string term, string? text) in list)
        {
            output.WriteLine(Indent + term);
            Wrap(output, text ?? "", columns, Indent + Indent);
        }

        output.WriteLine();
    }

    private static void Wrap(TextWriter output, string text, int columns, string indent)
    {
        string line = "";
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && indent.Length + line.Length + 1 + word.Length > columns)
            {
                output.WriteLine(indent + line);
                line = "";
            }

            line = line.Length == 0 ? word : $"{line} {word}";
        }

        output.WriteLine(indent + line);
    }
}

/// <summary>Answers <c>--help</c> with the manual page of the command that it stands after.</summary>
internal sealed class ManualPageAction(int width) : SynchronousCommandLineAction
{
    /// <inheritdoc/>
    public override bool Terminating => true;

    /// <summary>Help is given for a command line that is not complete, too.</summary>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        ManualPage.Write(parseResult.CommandResult.Command, parseResult.InvocationConfiguration.Output, width);
        return ExitCode.Ok;
    }
}
