using Spectre.Console;

namespace SnapshotApi.Cli.Rendering;

/// <summary>
/// Progress as lines of text, for a log: one when a phase begins, at most one in <see cref="Spacing"/> while percent
/// grows, and one at the end. No control characters.
/// </summary>
internal sealed class PlainProgressDisplay(TextWriter error, TimeProvider time) : IProgressDisplay
{
    /// <summary>Long enough that an hour's copy stays within a few hundred lines of a build log.</summary>
    internal static readonly TimeSpan Spacing = TimeSpan.FromSeconds(5);

    private string? _phase;
    private string? _percent;
    private long _writtenAt;
    private ProgressFrame? _unwritten;

    public async Task<T> RunAsync<T>(Func<Action<ProgressFrame>, Task<T>> work)
    {
        T result = await work(Show).ConfigureAwait(false);
        if (_unwritten is { } last)
        {
            Write(last);
        }

        return result;
    }

    private static string PercentOf(ProgressFrame frame) =>
        frame.Rows is [{ Percent: { } percent }, ..] ? UnitText.Percent(percent) : "";

    private void Show(ProgressFrame frame)
    {
        bool isNewPhase = frame.Phase != _phase;
        bool isDue = _percent != PercentOf(frame) && time.GetElapsedTime(_writtenAt) >= Spacing;
        if (isNewPhase || isDue)
        {
            Write(frame);
        }
        else
        {
            _unwritten = _percent == PercentOf(frame) ? null : frame;
        }
    }

    private void Write(ProgressFrame frame)
    {
        (_phase, _percent, _writtenAt, _unwritten) = (frame.Phase, PercentOf(frame), time.GetTimestamp(), null);
        string numbers = frame.Rows is [var whole, ..] ? whole.NumbersText(_percent) : "";
        error.WriteLine(TerminalText.Show(frame.Headline) + (numbers.Length > 0 ? $": {numbers}" : ""));
    }
}

/// <summary>Shows progress on standard error while some work runs.</summary>
internal interface IProgressDisplay
{
    /// <summary>Runs the work and shows the frames that it reports.</summary>
    Task<T> RunAsync<T>(Func<Action<ProgressFrame>, Task<T>> work);
}

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
        return new Columns(
            new Text(new string('━', filled), color),
            new Text(new string('─', BarWidth - filled), new Style(Color.Grey)))
        {
            Padding = new Padding(0, 0, 0, 0),
            Expand = false,
        };
    }
}

/// <summary>What a progress display shows at one instant.</summary>
/// <param name="Headline">What happens, in words.</param>
/// <param name="Phase">A new value makes the plain display write a line, for example the job's step.</param>
/// <param name="Rows">The bars; the first is the whole.</param>
internal sealed record ProgressFrame(string Headline, string Phase, IReadOnlyList<ProgressRow> Rows);

/// <summary>One bar.</summary>
/// <param name="Label">What it measures.</param>
/// <param name="BytesDone">Bytes handled.</param>
/// <param name="BytesTotal">Bytes there are; null while unknown.</param>
/// <param name="Percent">0 to 100; null while unknown.</param>
/// <param name="BytesPerSecond">Rate; null when nothing moves.</param>
/// <param name="Left">Time left; null when unknown.</param>
internal sealed record ProgressRow(
    string Label, long? BytesDone, long? BytesTotal, double? Percent, long? BytesPerSecond, TimeSpan? Left)
{
    /// <summary><c>1.2 GiB / 4.0 GiB</c>, or the empty string before a byte is counted.</summary>
    public string BytesText => (BytesDone, BytesTotal) switch
    {
        (null, _) => "",
        ({ } done, null) => UnitText.Size(done),
        ({ } done, { } total) => $"{UnitText.Size(done)} / {UnitText.Size(total)}",
    };

    /// <summary><c>0:41 left</c>, or the empty string.</summary>
    public string LeftText => Left is { } left ? UnitText.Clock(left) + " left" : "";

    /// <summary>Percentage, bytes, rate and time left, as far as they are known.</summary>
    public string NumbersText(string percent) => string.Join(
        ", ", new[] { percent, BytesText, UnitText.Rate(BytesPerSecond), LeftText }.Where(p => p.Length > 0));
}
