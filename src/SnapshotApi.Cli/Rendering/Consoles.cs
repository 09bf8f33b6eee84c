using Spectre.Console;

namespace SnapshotApi.Cli.Rendering;

/// <summary>Spectre consoles on a given writer.</summary>
internal static class Consoles
{
    /// <summary>A console for a writer that is known to be a terminal.</summary>
    public static IAnsiConsole Of(TextWriter writer, int width, bool color) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = AnsiSupport.Yes,
        ColorSystem = color ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
        Interactive = InteractionSupport.No,
        Out = new TerminalOutput(writer, width),
    });

    private sealed class TerminalOutput(TextWriter writer, int width) : IAnsiConsoleOutput
    {
        public TextWriter Writer { get; } = writer;

        public bool IsTerminal => true;

        public int Width { get; } = width;

        public int Height => 25;

        public void SetEncoding(System.Text.Encoding encoding)
        {
            // The writer's encoding is the process's; there is nothing to switch.
        }
    }
}
