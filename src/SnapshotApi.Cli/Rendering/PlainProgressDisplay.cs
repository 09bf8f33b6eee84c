namespace SnapshotApi.Cli.Rendering;

/// <summary>
/// Progress as lines of text, for a log: one when a phase begins, at most one in <see cref="Spacing"/> while the percentage
/// moves, and one at the end. No control characters.
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
        string[] parts = frame.Rows is [var whole, ..]
            ? [_percent, whole.BytesText, UnitText.Rate(whole.BytesPerSecond), whole.LeftText]
            : [];
        string numbers = string.Join(", ", parts.Where(p => p.Length > 0));
        error.WriteLine(TerminalText.Show(frame.Headline) + (numbers.Length > 0 ? $": {numbers}" : ""));
    }
}
