using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using SnapshotApi.Cli.Commands;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli;

/// <summary>The command line of <c>snapshotctl</c>, put together.</summary>
internal static class SnapshotCtl
{
    /// <summary>Parses and runs one command line.</summary>
    /// <returns>A value of <see cref="ExitCode"/>.</returns>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> args, CliTerminal terminal, CancellationToken cancellationToken)
    {
        if (Completion.IsAsked(args))
        {
            // Nothing but completions may reach standard output.
            var quiet = new GlobalOptions(terminal with { Output = TextWriter.Null });
            return await new Completion(BuildRoot(terminal, quiet), quiet, terminal).RunAsync(args, cancellationToken)
                .ConfigureAwait(false);
        }

        ParseResult parsed = BuildRoot(terminal).Parse(args);
        if (parsed.Action is ParseErrorAction)
        {
            // The library breaks some messages into lines.
            string[] messages = [.. parsed.Errors.Select(e => string.Join(
                ' ', e.Message.Split((char[])['\n', '\t', '\r', ' '], StringSplitOptions.RemoveEmptyEntries)))];
            foreach (string message in messages)
            {
                await terminal.Error.WriteLineAsync($"snapshotctl: {TerminalText.Show(message)}").ConfigureAwait(false);
            }

            string command = ManualPage.FullName(parsed.CommandResult.Command);
            await terminal.Error.WriteLineAsync($"Try '{command} --help'.").ConfigureAwait(false);
            return WrongUsage(parsed, terminal, string.Join("; ", messages));
        }

        // Program handles signals: a command must be able to say what goes on without it.
        var configuration = new InvocationConfiguration
        {
            Output = terminal.Output,
            Error = terminal.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        return await parsed.InvokeAsync(configuration, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The root command with all of its subcommands.</summary>
    internal static RootCommand BuildRoot(CliTerminal terminal) => BuildRoot(terminal, new GlobalOptions(terminal));

    private static RootCommand BuildRoot(CliTerminal terminal, GlobalOptions global)
    {
        var root = new RootCommand("Takes images of KVM/libvirt guests with a SnapshotApi service, and downloads them.")
        {
            new ServersCommand(global),
            new ServerCommand(global),
            new SnapshotCommand(global),
            new JobsCommand(global),
            new JobCommand(global),
            new EventsCommand(global),
            new LimitCommand(global),
            new CancelCommand(global),
            new ImagesCommand(global),
            new ImageCommand(global),
            new NodesCommand(global),
            new HealthCommand(global),
        };
        global.AddTo(root);
        foreach (HelpOption help in root.Options.OfType<HelpOption>())
        {
            help.Action = new ManualPageAction(terminal.Width);
        }

        root.SetAction(parsed =>
        {
            ManualPage.Write(root, terminal.Error, terminal.Width);
            return WrongUsage(parsed, terminal, "a command is required");
        });
        return root;
    }

    private static int WrongUsage(ParseResult parsed, CliTerminal terminal, string detail)
    {
        // Values of options can't be asked for where the command line has errors.
        bool json = parsed.Tokens.Any(t => t.Value == "--json");
        ProblemView.WriteOwn(terminal, json, "invalid_usage", "The command line is not valid", detail);
        return ExitCode.Usage;
    }
}
