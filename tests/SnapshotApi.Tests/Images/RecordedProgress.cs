namespace SnapshotApi.Tests.Images;

/// <summary>Keeps every report, on the reporting thread.</summary>
internal sealed class RecordedProgress : IProgress<long>
{
    public List<long> Reports { get; } = [];

    public void Report(long value) => Reports.Add(value);
}
