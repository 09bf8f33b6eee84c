using System.Text.Json;
using Spectre.Console;

namespace SnapshotApi.Cli.Rendering;

/// <summary>One cell: text, not yet escaped, and its style on a terminal.</summary>
internal readonly record struct Cell(string? Text, Style? Style = null)
{
    public static implicit operator Cell(string? text) => new(text);
}

/// <summary>A column of a table.</summary>
/// <param name="Title">Heading.</param>
/// <param name="IsNumber">Aligned to the right.</param>
/// <param name="IsWhole">Never broken into lines: an id that is to be copied.</param>
internal readonly record struct Column(string Title, bool IsNumber = false, bool IsWhole = false)
{
    public static implicit operator Column(string title) => new(title);
}

/// <summary>
/// Writes tables: with Spectre on a terminal; else as aligned text, one line for each row, so that grep, awk and
/// a log file get whole rows.
/// </summary>
internal sealed class TableWriter(TextWriter output, IAnsiConsole? console)
{
    /// <summary>Writes rows under headings.</summary>
    public void WriteTable(IReadOnlyList<Column> columns, IReadOnlyList<Cell[]> rows)
    {
        if (console is null)
        {
            WritePlain(columns, [[.. columns.Select(c => new Cell(c.Title))], .. rows]);
            return;
        }

        Table table = NewTable();
        foreach (Column column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column.Title, new Style(decoration: Decoration.Bold)))
            {
                Alignment = column.IsNumber ? Justify.Right : Justify.Left,
                Padding = new Padding(0, 0, 2, 0),
                NoWrap = column.IsWhole,
            });
        }

        foreach (Cell[] row in rows)
        {
            table.AddRow(row.Select(Render));
        }

        console.Write(table);
    }

    /// <summary>Writes facts, one a line: what it is, then its value. A fact without value is left out.</summary>
    public void WriteFacts(params IReadOnlyList<(string Label, Cell Value)> facts)
    {
        List<Cell[]> rows = [.. facts
            .Where(f => !string.IsNullOrEmpty(f.Value.Text))
            .Select(f => new[] { f.Label + ":", f.Value })];
        if (console is null)
        {
            WritePlain(["", ""], rows);
            return;
        }

        Table table = NewTable().HideHeaders();
        table.AddColumn(new TableColumn("").NoWrap().Padding(0, 0, 2, 0));
        table.AddColumn(new TableColumn("").Padding(0, 0, 0, 0));
        rows.ForEach(row => table.AddRow(row.Select(Render)));
        console.Write(table);
    }

    private static Table NewTable() => new() { Border = TableBorder.None, ShowRowSeparators = false };

    private static Text Render(Cell cell) => new(TerminalText.Show(cell.Text), cell.Style);

    private void WritePlain(IReadOnlyList<Column> columns, List<Cell[]> rows)
    {
        List<string[]> lines = [.. rows.Select(r => r.Select(c => TerminalText.Show(c.Text)).ToArray())];
        int[] widths = [.. columns.Select((_, i) => lines.Count == 0 ? 0 : lines.Max(l => l[i].Length))];
        foreach (string[] line in lines)
        {
            IEnumerable<string> cells = line.Select(
                (text, i) => columns[i].IsNumber ? text.PadLeft(widths[i]) : text.PadRight(widths[i]));
            output.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }
}

/// <summary>Answers with a list: a table, or one JSON array.</summary>
internal static class ListView
{
    /// <summary>Writes the elements.</summary>
    /// <param name="session">Where to.</param>
    /// <param name="items">The elements as they came.</param>
    /// <param name="columns">Headings.</param>
    /// <param name="rowOf">Makes the cells of an element.</param>
    /// <param name="whenEmpty">For standard error, when there are no elements; standard output stays empty.</param>
    public static int Answer(
        CliSession session,
        IReadOnlyList<JsonElement> items,
        IReadOnlyList<Column> columns,
        Func<JsonElement, Cell[]> rowOf,
        string whenEmpty)
    {
        JsonElement array = JsonSerializer.SerializeToElement(items, CliJson.Default.IReadOnlyListJsonElement);
        return session.Answer(array, () =>
        {
            if (items.Count == 0)
            {
                session.Note(whenEmpty);
                return;
            }

            session.Tables.WriteTable(columns, [.. items.Select(rowOf)]);
        });
    }
}
