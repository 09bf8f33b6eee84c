using System.Text;
using System.Text.Json;
using Spectre.Console;

namespace SnapshotApi.Cli.Rendering;

/// <summary>Spectre consoles on a given writer.</summary>
internal static class Consoles
{
    /// <summary>A console for a writer that is known to be a terminal.</summary>
    public static IAnsiConsole Of(TextWriter writer, int width, bool color) => AnsiConsole.Create(new()
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

/// <summary>Writes JSON for machines in a form that does a terminal no harm either.</summary>
internal static class JsonText
{
    /// <summary>The document, indented; the default encoder escapes everything that is not plain ASCII.</summary>
    public static string Indent(JsonElement document)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            document.WriteTo(writer);
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
