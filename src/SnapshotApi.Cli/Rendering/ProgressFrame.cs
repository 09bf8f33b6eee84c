namespace SnapshotApi.Cli.Rendering;

/// <summary>What a progress display shows at one instant.</summary>
/// <param name="Headline">What is going on, in words.</param>
/// <param name="Phase">Changes when something worth a line of its own begins, for example the job's step.</param>
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
}
