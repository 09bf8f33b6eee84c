using System.CommandLine;

namespace SnapshotApi.Cli.Commands;

/// <summary>A command with what its manual page says beyond names and options.</summary>
internal abstract class CliCommand(string name, string description) : Command(name, description)
{
    /// <summary>Paragraphs of the description.</summary>
    public IReadOnlyList<string> Details { get; protected init; } = [];

    /// <summary>Command lines, and what each does.</summary>
    public IReadOnlyList<(string Line, string Meaning)> Examples { get; protected init; } = [];

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
