using Spectre.Console;

namespace SnapshotApi.Cli.Rendering;

/// <summary>Progress bars that redraw themselves, for a terminal.</summary>
internal sealed class LiveProgressDisplay(IAnsiConsole console) : IProgressDisplay
{
    /// <summary>Columns of a bar: narrow enough for label, bytes, rate and time left beside it in 80 columns.</summary>
    private const int BarWidth = 24;

    public async Task<T> RunAsync<T>(Func<Action<ProgressFrame>, Task<T>> work)
    {
        T result = default!;
        await console.Live(new Text("")).AutoClear(false).StartAsync(async live =>
        {
            result = await work(frame =>
            {
                live.UpdateTarget(Draw(frame));
                live.Refresh();
            }).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return result;
    }

    private static Rows Draw(ProgressFrame frame)
    {
        var grid = new Grid();
        for (int column = 0; column < 6; column++)
        {
            grid.AddColumn(new GridColumn { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        }

        foreach (ProgressRow row in frame.Rows)
        {
            grid.AddRow(
                new Text(TerminalText.Show(row.Label)) { Overflow = Overflow.Ellipsis },
                Bar(row.Percent),
                new Text(row.Percent is { } percent ? UnitText.Percent(percent).PadLeft(4) : "    "),
                new Text(row.BytesText),
                new Text(UnitText.Rate(row.BytesPerSecond)),
                new Text(row.LeftText));
        }

        return new Rows(new Text(TerminalText.Show(frame.Headline)), grid);
    }

    private static Columns Bar(double? percent)
    {
        int filled = (int)Math.Floor(Math.Clamp(percent ?? 0, 0, 100) * BarWidth / 100);
        var color = new Style(filled == BarWidth ? Color.Green : Color.Blue);
        return new Columns(new Text(new string('━', filled), color), new Text(new string('─', BarWidth - filled), new Style(Color.Grey)))
        {
            Padding = new Padding(0, 0, 0, 0),
            Expand = false,
        };
    }
}
