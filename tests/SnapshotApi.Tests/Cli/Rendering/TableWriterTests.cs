using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Tests.Cli.Rendering;

public sealed class TableWriterTests
{
    [Fact]
    public void Without_a_terminal_rows_are_whole_lines_in_aligned_columns()
    {
        using var output = new StringWriter();
        string name = new('x', 300);

        new TableWriter(output, null).WriteTable(["NAME", new("SIZE", true), "LAST"], [[name, "1 B", "a"], ["b\n", "10 B", ""]]);

        Assert.Equal(
            [$"NAME{new string(' ', 296)}  SIZE  LAST", $"{name}   1 B  a", $"b\\n{new string(' ', 297)}  10 B"],
            output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void On_a_terminal_markup_in_a_name_is_only_text()
    {
        using var output = new StringWriter();

        new TableWriter(output, Consoles.Of(output, 80, color: true)).WriteTable(["NAME"], [["[red]x[/] \u001b[2J"]]);

        Assert.Contains("[red]x[/] \\x1b[2J", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void On_a_narrow_terminal_an_id_stays_in_one_piece()
    {
        using var output = new StringWriter();
        string[] words = [.. Enumerable.Repeat("word", 20)];

        new TableWriter(output, Consoles.Of(output, 60, color: false))
            .WriteTable([new("ID", IsWhole: true), "TEXT"], [[Samples.JobId, string.Join(' ', words)]]);

        Assert.Contains(Samples.JobId, output.ToString(), StringComparison.Ordinal);
        Assert.All(output.ToString().Split('\n').Skip(1), line => Assert.True(line.Length <= 60, line));
    }

    [Fact]
    public void A_fact_without_value_is_left_out()
    {
        using var output = new StringWriter();

        new TableWriter(output, null).WriteFacts(("Name", "web"), ("Error", default), ("Node", "kvm1"));

        Assert.Equal(["Name:  web", "Node:  kvm1"], output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
