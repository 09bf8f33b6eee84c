using System.Text.Json;
using SnapshotApi.Cli.Http;

namespace SnapshotApi.Cli.Rendering;

/// <summary>Shows problems: what is wrong, a line for each wrong field, and all other members.</summary>
internal static class ProblemView
{
    private static readonly string[] OfNoUse = ["type", "instance", "traceId"];

    /// <summary>Writes it to standard error, and with <c>--json</c> as it came to standard output.</summary>
    public static void Write(ProblemException exception, CliSession session)
    {
        ProblemDocument problem = exception.Problem;
        string title = TerminalText.Show(problem.Title).TrimEnd('.');
        string code = problem.Code is { } c ? $" ({TerminalText.Show(c)})" : "";
        string detail = problem.Detail is { } d && d != problem.Title ? $": {TerminalText.Show(d)}" : "";
        session.Note($"snapshotctl: {title}{code}{detail}");
        foreach ((string field, IReadOnlyList<string> messages) in problem.Errors ?? [])
        {
            foreach (string message in messages ?? [])
            {
                session.Note(TerminalText.Show($"  {(field.Length == 0 ? "request" : field)}: {message}"));
            }
        }

        foreach ((string name, JsonElement value) in problem.Others ?? [])
        {
            if (!OfNoUse.Contains(name) && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Object))
            {
                session.Note($"  {TerminalText.Show(name)}: {Text(value)}");
            }
        }

        if (session.Json)
        {
            session.WriteJson(exception.Document.ValueKind == JsonValueKind.Object
                ? exception.Document
                : JsonSerializer.SerializeToElement(problem, CliJson.Default.ProblemDocument));
        }
    }

    /// <summary>With <c>--json</c>: writes an error of the client itself as a problem document.</summary>
    public static void WriteOwn(CliTerminal terminal, bool json, string code, string title, string detail)
    {
        if (json)
        {
            var problem = new ProblemDocument { Code = code, Title = title, Detail = detail };
            terminal.Output.WriteLine(
                JsonText.Indent(JsonSerializer.SerializeToElement(problem, CliJson.Default.ProblemDocument)));
        }
    }

    private static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => string.Join(", ", value.EnumerateArray().Select(Text)),
        JsonValueKind.String => TerminalText.Show(value.GetString()),
        _ => TerminalText.Show(value.GetRawText()),
    };
}
