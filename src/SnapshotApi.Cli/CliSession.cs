using System.Text.Json;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;
using Spectre.Console;

namespace SnapshotApi.Cli;

/// <summary>One run of one command: where it asks, and how it answers. The caller disposes it.</summary>
internal sealed class CliSession(CliTerminal terminal, SnapshotClient client, bool json, bool color, TimeSpan timeout)
    : IDisposable
{
    /// <summary>The service.</summary>
    public SnapshotClient Client { get; } = client;

    /// <summary>Standard output carries exactly one JSON document.</summary>
    public bool Json { get; } = json;

    /// <summary>How long the service may be silent.</summary>
    public TimeSpan Timeout { get; } = timeout;

    /// <summary>Clock of the session.</summary>
    public TimeProvider Time => terminal.Time;

    /// <summary>Results for people.</summary>
    public TableWriter Tables { get; } =
        new(terminal.Output, terminal.OutputIsTerminal ? Consoles.Of(terminal.Output, terminal.Width, color) : null);

    /// <summary>Progress on standard error: a live bar on a terminal, else plain lines.</summary>
    public IProgressDisplay NewProgress() => terminal.ErrorIsTerminal
        ? new LiveProgressDisplay(Consoles.Of(terminal.Error, terminal.Width, color))
        : new PlainProgressDisplay(terminal.Error, terminal.Time);

    /// <summary>Writes a line of result.</summary>
    public void WriteLine(string line) => terminal.Output.WriteLine(line);

    /// <summary>Writes a line to standard error.</summary>
    public void Note(string line) => terminal.Error.WriteLine(line);

    /// <summary>Writes a document to standard output, indented, everything outside ASCII escaped.</summary>
    public void WriteJson(JsonElement document) => terminal.Output.WriteLine(JsonText.Indent(document));

    /// <summary>Writes the document as JSON, or lets <paramref name="show"/> write it for people.</summary>
    public int Answer(JsonElement document, Action show)
    {
        if (Json)
        {
            WriteJson(document);
        }
        else
        {
            show();
        }

        return ExitCode.Ok;
    }

    /// <summary>Colours by a status word; null where the word has none.</summary>
    public static Style? StyleOf(string? status) => status switch
    {
        "succeeded" or "running" => new Style(Color.Green),
        "failed" => new Style(Color.Red),
        "cancelled" or "paused" => new Style(Color.Yellow),
        _ => (Style?)null,
    };

    public void Dispose() => Client.Dispose();
}
